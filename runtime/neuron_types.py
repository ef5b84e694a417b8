"""Neuron types by name: what a population needs beyond a LIF neuron that is reset to zero.

Engines, targets and reports compare these names with those that they hold.
"""

from collections.abc import Callable, Collection, Mapping

import numpy as np

from .errors import EngineError
from .network import Network
from .population import Population

LIF_FEATURES: Mapping[str, Callable[[Population], bool]] = {
    "reset to a value": lambda p: p.reset == "value",
    "soft reset": lambda p: p.reset == "subtract",
    "delayed soft reset": lambda p: p.reset == "delayed_subtract",
    "refractory period": lambda p: p.refractory > 0,
    "several spikes per timestep": lambda p: p.max_spikes > 1,
    "minimum voltage": lambda p: p.bounded,
    "threshold adaptation": lambda p: p.reset == "adaptive",
}
MESSAGE_FEATURES: Mapping[str, Callable[[Population], bool]] = {
    "delta encoder": lambda p: p.kind == "delta",
    "sigma-delta neuron": lambda p: p.kind == "sigma_delta",
    "read-out of sigma-delta messages": lambda p: not p.align_bits,
    "signed or wide input": lambda p: p.kind == "input" and p.value_type is not np.uint8,
}
RESONATOR_FEATURES: Mapping[str, Callable[[Population], bool]] = {
    "resonate-and-fire neuron": lambda p: p.kind == "rf",
    "resonate-and-fire neuron with a reset": lambda p: p.kind == "rf_iz",
}
FEATURES = {**LIF_FEATURES, **MESSAGE_FEATURES, **RESONATOR_FEATURES}


def list_features(population: Population) -> tuple[str, ...]:
    """List the entries of `FEATURES` that `population` has."""
    return tuple(name for name, holds in FEATURES.items() if holds(population))


def require_features(network: Network, who: str, held: Collection[str] = ()) -> None:
    """Raise `EngineError` for the first population with a feature that `who` does not hold."""
    for population in network.populations:
        for name in list_features(population):
            if name not in held:
                raise EngineError(
                    f"{population.name}: has a {name}, which {who} does not hold; "
                    "run it on the engine cpu, onnx or reference"
                )
