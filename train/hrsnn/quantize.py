"""Quantize a trained recurrent network to an integer `Network`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...convert.quantize import scales
from ...runtime.connections import Sparse
from ...runtime.errors import NetworkError
from ...runtime.network import Network
from ...runtime.population import Population
from ...runtime.projection import Projection
from .network import RecurrentNetwork
from .wiring import SYNAPSE_CLASSES

ENDPOINTS = {
    "input": ("input", "excitatory"),
    "input_inhibitory": ("input", "inhibitory"),
    "ee": ("excitatory", "excitatory"),
    "ei": ("excitatory", "inhibitory"),
    "ie": ("inhibitory", "excitatory"),
    "ii": ("inhibitory", "inhibitory"),
}
FloatArray = NDArray[np.floating[Any]]


def to_network(network: RecurrentNetwork, provenance: dict[str, Any] | None = None) -> Network:
    """Quantize a recurrent network to 8-bit weights and integer neuron parameters.

    The populations are `input`, `excitatory` (the output) and `inhibitory`, with decay and
    threshold per neuron. Each class of synapses is a sparse projection of one sign and 8 bits, with
    a delay of 1 where it is recurrent. Weights and thresholds of a population share a scale, the
    largest at which the projection with the smallest weights uses its 8 bits, and thresholds fit
    their 17. Raises `NetworkError` where integers do not fit the registers.
    """
    sizes = network.wiring.sizes
    populations = [Population("input", network.shape, "input")]
    projections: list[Projection] = []
    for name, part in sizes.populations.items():
        incoming = {key: ends for key, ends in ENDPOINTS.items() if ends[1] == name}
        synapses = {key: _class_synapses(network, *ends) for key, ends in incoming.items()}
        synapses = {key: arrays for key, arrays in synapses.items() if len(arrays[0])}
        threshold = network.threshold[part]
        peaks = [scales.max_abs(weights) for weights, *_ in synapses.values()]
        level = float(threshold.max())
        scale = scales.population_scale(peaks, level, one_sign=True, headroom=1.0)
        populations.append(_quantize_population(name, network.decay_factor[part], threshold, scale))
        for key, (weights, rows, columns) in synapses.items():
            source = ENDPOINTS[key][0]
            shape = part.stop - part.start, _population_size(network, source)
            exponent = scales.weight_exponent(scales.max_abs(weights), scale, one_sign=True)
            integers = scales.quantize_weights(weights, scale, exponent, one_sign=True)
            sparse = Sparse(integers, rows, columns, shape)
            delay = int(source != "input")
            projections.append(Projection(key, source, name, sparse, exponent, delay))
    return Network(tuple(populations), tuple(projections), "excitatory", provenance or {})


def _class_synapses(
    network: RecurrentNetwork, source: str, target: str
) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    """Weights, targets and sources of a class; indices are relative to the populations."""
    wiring, populations = network.wiring, network.wiring.sizes.populations
    target_slice = populations[target]
    first = 0 if source == "input" else wiring.sizes.inputs + populations[source].start
    number = SYNAPSE_CLASSES.index("input" if source == "input" else source[0] + target[0])
    in_target = (wiring.targets >= target_slice.start) & (wiring.targets < target_slice.stop)
    members = (wiring.classes == number) & in_target
    rows = wiring.targets[members].astype(np.int64) - target_slice.start
    return network.weights[members], rows, wiring.sources[members].astype(np.int64) - first


def _population_size(network: RecurrentNetwork, source: str) -> int:
    sizes = network.wiring.sizes
    counts = {"input": sizes.inputs, "excitatory": sizes.excitatory, "inhibitory": sizes.inhibitory}
    return counts[source]


def _quantize_population(
    name: str, decay_factor: FloatArray, threshold: FloatArray, scale: float
) -> Population:
    if threshold.min() <= 0:
        raise NetworkError(f"{name}: a threshold is {threshold.min():g}, needs above 0")
    return Population(
        name,
        (len(decay_factor),),
        current_decay=scales.quantize_decay(1.0),
        voltage_decay=scales.quantize_decay(1 - decay_factor.astype(np.float64)),
        threshold=scales.quantize_threshold(threshold, scale),
    )
