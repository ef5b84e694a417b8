"""From real numbers to a `Network`, with an account of what rounding did to each layer."""

from dataclasses import dataclass

import numpy as np

from ..runtime.connections import Connection, Conv, Dense, SumPool
from ..runtime.errors import NetworkError
from ..runtime.network import Network
from ..runtime.population import Population
from ..runtime.projection import Projection
from . import rounding
from .graph import Graph, Neurons, Synapses


@dataclass(frozen=True)
class Rounded:
    """What rounding did to one projection.

    `scale` is weight units per real unit. `weight_error` is the root mean square error of the
    weights over their root mean square, `clipped` how many were cut at the ends, `zeroed` how many
    non-zero weights became zero. `threshold_error` is relative; `bias_error` the largest error of a
    bias as a share of the threshold.
    """

    name: str
    scale: float
    weight_exponent: int
    largest_weight: float
    weight_error: float
    clipped: int
    zeroed: int
    threshold: int
    threshold_error: float
    bias_error: float


def quantised(graph: Graph) -> tuple[Network, tuple[Rounded, ...]]:
    """Round `graph` to a `Network`: 8-bit weights with one exponent a projection.

    Raises `NetworkError` where a parameter is not finite or the rounded network does not fit the
    registers.
    """
    populations = [
        Population(graph.input_name, graph.input_shape, "input", value_bits=graph.value_bits)
    ]
    projections: list[Projection] = []
    report: list[Rounded] = []
    for neurons in graph.neurons:
        incoming = [s for s in graph.synapses if s.target == neurons.name]
        _check_finite(neurons, incoming)
        scale = rounding.population_scale(
            [rounding.largest(s.weights) for s in incoming], neurons.threshold
        )
        population = _population(neurons, scale)
        populations.append(population)
        for synapses in incoming:
            projection = _projection(synapses, scale)
            projections.append(projection)
            report.append(_rounded(synapses, neurons, projection, population, scale))
    network = Network(tuple(populations), tuple(projections), graph.output, graph.provenance)
    return network, tuple(report)


def _check_finite(neurons: Neurons, incoming: list[Synapses]) -> None:
    if not incoming:
        raise NetworkError(f"{neurons.name}: nothing projects to it")
    for name, values in [(neurons.name, neurons.bias), *((s.name, s.weights) for s in incoming)]:
        wrong = int(np.count_nonzero(~np.isfinite(values)))
        if wrong:
            raise NetworkError(f"{name}: {wrong} of {values.size} values are NaN or infinite")


def _population(neurons: Neurons, scale: float) -> Population:
    exponent = rounding.bias_exponent(float(np.abs(neurons.bias).max()), scale)
    return Population(
        neurons.name,
        neurons.shape,
        "cuba" if neurons.spikes else "integrator",
        current_decay=rounding.rounded_decay(neurons.current_decay),
        voltage_decay=rounding.rounded_decay(neurons.voltage_decay),
        threshold=rounding.rounded_threshold(neurons.threshold, scale) if neurons.spikes else 0,
        bias=rounding.rounded_bias(neurons.bias, scale, exponent),
        bias_exponent=exponent,
    )


def _projection(synapses: Synapses, scale: float) -> Projection:
    exponent = rounding.weight_exponent(rounding.largest(synapses.weights), scale)
    integers = rounding.rounded_weights(synapses.weights, scale, exponent)
    connection: Connection
    if synapses.kind == "conv":
        connection = Conv(
            integers, synapses.stride, synapses.padding, synapses.dilation, synapses.groups
        )
    elif synapses.kind == "dense":
        connection = Dense(integers)
    else:
        weight = int(integers[0])
        connection = SumPool(synapses.kernel, synapses.stride, synapses.padding, weight)
    return Projection(
        synapses.name, synapses.source, synapses.target, connection, exponent, synapses.delay
    )


def _rounded(
    synapses: Synapses,
    neurons: Neurons,
    projection: Projection,
    population: Population,
    scale: float,
) -> Rounded:
    exponent = projection.weight_exponent
    exact = synapses.weights * scale / 2.0**exponent
    integers = rounding.rounded_weights(synapses.weights, scale, exponent)
    size = max(float(np.sqrt(np.mean(exact**2))), 2.0**-1022)
    threshold = int(population.threshold)
    bias = population.bias.reshape(-1) * 2.0**population.bias_exponent / rounding.ALIGN
    return Rounded(
        name=synapses.name,
        scale=scale,
        weight_exponent=exponent,
        largest_weight=rounding.largest(synapses.weights),
        weight_error=float(np.sqrt(np.mean((integers - exact) ** 2))) / size,
        clipped=int(np.count_nonzero(np.abs(exact) > rounding.WEIGHT_LIMIT + 1)),
        zeroed=int(np.count_nonzero((integers == 0) & (exact != 0))),
        threshold=threshold,
        threshold_error=abs(threshold / (neurons.threshold * scale) - 1) if neurons.spikes else 0.0,
        bias_error=float(np.abs(bias - neurons.bias * scale).max())
        / (max(threshold, 1) if neurons.spikes else scale),
    )
