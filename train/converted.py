"""From a trained network to the chip's integers, with its provenance."""

from dataclasses import replace

from ..convert.graph import Graph
from ..convert.quantise import Rounded, quantised
from ..convert.sparse import with_sparse
from ..runtime.network import Network
from .architectures.slayer import SlayerNetwork
from .checkpoint import Trained
from .networks import lowered


def converted(trained: Trained) -> tuple[Network, tuple[Rounded, ...]]:
    """Return the `Network` that computes what `trained` does once quantised, and what rounding did.

    Raises `NetworkError` where a weight is not finite or the integers do not fit the registers.
    """
    made = as_trained(trained)
    if isinstance(made, Network):
        return made, ()
    network, told = quantised(made)
    return with_sparse(network), told


def as_trained(trained: Trained) -> Graph | Network:
    """Return `trained` in real numbers, or in integers where it knows no others (SLAYER)."""
    network, provenance = trained.network, trained.provenance
    if isinstance(network, SlayerNetwork):
        return replace(network.integers(), provenance=provenance)
    return replace(lowered(network), provenance=provenance)
