"""From a trained network to the chip's integers, with its provenance."""

from dataclasses import replace

from ..convert.passes.sparsify import sparsify
from ..convert.quantize.float_network import FloatNetwork
from ..convert.quantize.quantize import ProjectionQuantization, quantize_network
from ..runtime.network import Network
from .engine.checkpoint import TrainedModel
from .models.slayer import SlayerNet
from .nn.network import to_float_network


def convert(trained: TrainedModel) -> tuple[Network, tuple[ProjectionQuantization, ...]]:
    """Return the `Network` that computes what `trained` does once quantised, and what rounding did.

    Raises `NetworkError` where a weight is not finite or the integers do not fit the registers.
    """
    made = import_trained_model(trained)
    if isinstance(made, Network):
        return made, ()
    network, told = quantize_network(made)
    return sparsify(network), told


def import_trained_model(trained: TrainedModel) -> FloatNetwork | Network:
    """Return `trained` in real numbers, or in integers where it knows no others (SLAYER)."""
    network, provenance = trained.network, trained.provenance
    if isinstance(network, SlayerNet):
        return replace(network.to_network(), provenance=provenance)
    return replace(to_float_network(network), provenance=provenance)
