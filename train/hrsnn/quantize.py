"""From a trained recurrent network to the chip's integers: a `Network` that every engine runs."""

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
    """Return what `network` computes, in integers.

    Populations `input`, `excitatory` (the output) and `inhibitory`, with a decay and a threshold a
    neuron; a sparse projection a class of synapses, of one sign and 8 bits, with delay 1 where it
    is recurrent. Weights and thresholds of a population share a scale: the largest at which the
    projection with the smallest weights fills 8 bits, and thresholds their 17. Raises
    `NetworkError` where the integers do not fit the registers.
    """
    sizes = network.wiring.sizes
    populations = [Population("input", network.shape, "input")]
    projections: list[Projection] = []
    for name, part in sizes.populations.items():
        incoming = {key: ends for key, ends in ENDPOINTS.items() if ends[1] == name}
        lists = {key: _class_synapses(network, *ends) for key, ends in incoming.items()}
        lists = {key: each for key, each in lists.items() if len(each[0])}
        threshold = network.threshold[part]
        peaks = [scales.max_abs(weights) for weights, *_ in lists.values()]
        scale = scales.population_scale(peaks, float(threshold.max()), one_sign=True)
        populations.append(_quantize_population(name, network.decay_factor[part], threshold, scale))
        for key, (weights, rows, columns) in lists.items():
            source = ENDPOINTS[key][0]
            shape = part.stop - part.start, _population_size(network, source)
            exponent = scales.weight_exponent(scales.max_abs(weights), scale, one_sign=True)
            integers = scales.quantize_weights(weights, scale, exponent, one_sign=True)
            sparse = Sparse(integers, rows, columns, shape)
            delay = int(source != "input")
            projections.append(Projection(key, source, name, sparse, exponent, delay))
    given = provenance or {}
    return Network(tuple(populations), tuple(projections), "excitatory", given)


def _class_synapses(
    network: RecurrentNetwork, source: str, target: str
) -> tuple[FloatArray, NDArray[np.int64], NDArray[np.int64]]:
    """Return weights, targets and sources of one class, both counted within their population."""
    wiring, populations = network.wiring, network.wiring.sizes.populations
    to = populations[target]
    first = 0 if source == "input" else wiring.sizes.inputs + populations[source].start
    kind = SYNAPSE_CLASSES.index("input" if source == "input" else source[0] + target[0])
    of = (wiring.classes == kind) & (wiring.targets >= to.start) & (wiring.targets < to.stop)
    rows = wiring.targets[of].astype(np.int64) - to.start
    return network.weights[of], rows, wiring.sources[of].astype(np.int64) - first


def _population_size(network: RecurrentNetwork, source: str) -> int:
    sizes = network.wiring.sizes
    counts = {"input": sizes.inputs, "excitatory": sizes.excitatory, "inhibitory": sizes.inhibitory}
    return counts[source]


def _quantize_population(
    name: str, kept: FloatArray, threshold: FloatArray, scale: float
) -> Population:
    if threshold.min() <= 0:
        raise NetworkError(f"{name}: a threshold is {threshold.min():g}, needs above 0")
    return Population(
        name,
        (len(kept),),
        current_decay=scales.quantize_decay(1.0),
        voltage_decay=scales.quantize_decay(1 - kept.astype(np.float64)),
        threshold=scales.quantize_threshold(threshold, scale),
    )
