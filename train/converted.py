"""From a trained network to the chip's integers, with its provenance."""

from dataclasses import replace

from ..convert.quantise import Rounded, quantised
from ..runtime.network import Network
from .checkpoint import Trained
from .networks import lowered


def converted(trained: Trained) -> tuple[Network, tuple[Rounded, ...]]:
    """Return the `Network` that computes what `trained` does once quantised, and what rounding did.

    Raises `NetworkError` where a weight is not finite or the integers do not fit the registers.
    """
    graph = replace(lowered(trained.network), provenance=trained.provenance)
    return quantised(graph)
