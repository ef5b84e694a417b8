"""From real numbers to a `Network`, with an account of what rounding did to each layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.connections import (
    Connection,
    Conv,
    Dense,
    SumPool,
)
from ...runtime.errors import NetworkError
from ...runtime.network import Network
from ...runtime.population import Population
from ...runtime.projection import Projection
from . import scales as rounding
from .float_network import FloatNetwork, FloatPopulation, FloatProjection

Scale = float | NDArray[np.float32]  # weight units a real unit: one number, or one a channel


@dataclass(frozen=True)
class ProjectionQuantization:
    """What rounding did to one projection.

    `scale` is weight units per real unit, the mean where channels differ. `weight_error` is the
    root mean square error of the weights over their root mean square, `clipped` how many were cut
    at the ends, `zeroed` how many non-zero weights became zero. `threshold` is the largest where
    channels differ, `threshold_error` relative; `bias_error` is the largest error of a bias as a
    share of the threshold. `bits` are those of the weights.
    """

    name: str
    scale: float
    weight_exponent: int
    max_abs_weight: float
    weight_error: float
    clipped_weights: int
    zeroed_weights: int
    threshold: int
    threshold_error: float
    bias_error: float
    weight_bits: int = 8


def quantize_network(graph: FloatNetwork) -> tuple[Network, tuple[ProjectionQuantization, ...]]:
    """Round `graph` to a `Network`: weights of 4 to 8 bits with one exponent a projection.

    Raises `NetworkError` where a parameter is not finite or the rounded network does not fit the
    registers.
    """
    populations = [
        Population(graph.input_name, graph.input_shape, "input", value_bits=graph.value_bits)
    ]
    projections: list[Projection] = []
    report: list[ProjectionQuantization] = []
    for neurons in graph.populations:
        incoming = [s for s in graph.projections if s.target == neurons.name]
        population, joined, told = quantize_population(neurons, incoming)
        populations.append(population)
        projections += joined
        report += told
    network = Network(tuple(populations), tuple(projections), graph.output, graph.provenance)
    return network, tuple(report)


def quantize_population(
    neurons: FloatPopulation, incoming: Sequence[FloatProjection]
) -> tuple[Population, list[Projection], list[ProjectionQuantization]]:
    """Round one population and what reaches it, at the scale that `scale_of` gives."""
    _validate(neurons, incoming)
    scale = weight_scale(neurons, incoming)
    population = _build_population(neurons, scale)
    projections = [_build_projection(s, scale) for s in incoming]
    told = [
        _measure_error(s, neurons, p, population, scale)
        for s, p in zip(incoming, projections, strict=True)
    ]
    return population, projections, told


def weight_scale(neurons: FloatPopulation, incoming: Sequence[FloatProjection]) -> Scale:
    """Return the scale that gives the smallest weights into `neurons` all their bits.

    One for the population; where neurons are rounded `by_channel`, one a channel, float32.
    """
    threshold = neurons.threshold
    bits = min(s.weight_bits for s in incoming)
    if not neurons.per_channel:
        return rounding.population_scale(
            [rounding.max_abs(s.weights) for s in incoming],
            threshold,
            bits,
            neurons.max_abs_voltage,
        )
    channels = neurons.shape[0]
    rows = [np.abs(s.weights).reshape(channels, -1).max(axis=1) for s in incoming]
    bias = np.broadcast_to(neurons.bias, channels)
    return np.array(
        [
            rounding.channel_scale([float(row[c]) for row in rows], threshold, float(bias[c]), bits)
            for c in range(channels)
        ],
        np.float32,
    )


def _validate(neurons: FloatPopulation, incoming: Sequence[FloatProjection]) -> None:
    if not incoming:
        raise NetworkError(f"{neurons.name}: nothing projects to it")
    for name, values in [(neurons.name, neurons.bias), *((s.name, s.weights) for s in incoming)]:
        wrong = int(np.count_nonzero(~np.isfinite(values)))
        if wrong:
            raise NetworkError(f"{name}: {wrong} of {values.size} values are NaN or infinite")
    if neurons.per_channel and not (
        neurons.spiking and all(s.kind in ("conv", "dense") for s in incoming)
    ):
        raise NetworkError(
            f"{neurons.name}: cannot be rounded by channel: needs a threshold, and no sum pool"
        )


def _build_population(neurons: FloatPopulation, scale: Scale) -> Population:
    exponent = rounding.bias_exponent(*_max_abs_and_scale(neurons.bias, scale))
    return Population(
        neurons.name,
        neurons.shape,
        "cuba" if neurons.spiking else "integrator",
        current_decay=rounding.quantize_decay(neurons.current_decay),
        voltage_decay=rounding.quantize_decay(neurons.voltage_decay),
        threshold=rounding.quantize_threshold(neurons.threshold, scale) if neurons.spiking else 0,
        bias=rounding.quantize_bias(neurons.bias, scale, exponent),
        bias_exponent=exponent,
    )


def _build_projection(synapses: FloatProjection, scale: Scale) -> Projection:
    rows = broadcast_scale(synapses, scale)
    exponent = rounding.weight_exponent(
        *_max_abs_and_scale(synapses.weights, rows), synapses.weight_bits
    )
    integers = rounding.quantize_weights(synapses.weights, rows, exponent, synapses.weight_bits)
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


def broadcast_scale(synapses: FloatProjection, scale: Scale) -> Scale:
    """Return `scale` so that it broadcasts to the weights, whose rows come channel by channel."""
    if isinstance(scale, float):
        return scale
    weights = synapses.weights
    repeated = np.repeat(scale, len(weights) // len(scale))
    return repeated.reshape(-1, *[1] * (weights.ndim - 1))


def _max_abs_and_scale(values: NDArray[np.float32], scale: Scale) -> tuple[float, float]:
    """Return the largest magnitude and its scale; where scales differ, of their product."""
    if isinstance(scale, float):
        return rounding.max_abs(values), scale
    return rounding.max_abs(values * scale), 1.0


def _measure_error(
    synapses: FloatProjection,
    neurons: FloatPopulation,
    projection: Projection,
    population: Population,
    scale: Scale,
) -> ProjectionQuantization:
    exponent, rows = projection.weight_exponent, broadcast_scale(synapses, scale)
    exact = synapses.weights * rows / 2.0**exponent
    integers = rounding.quantize_weights(synapses.weights, rows, exponent, synapses.weight_bits)
    size = max(float(np.sqrt(np.mean(exact**2))), 2.0**-1022)
    threshold = population.threshold.reshape(-1)
    bias = population.bias.reshape(-1) * 2.0**population.bias_exponent / rounding.ALIGN
    unit = np.maximum(threshold, 1) if neurons.spiking else np.float64(np.mean(scale))
    most = rounding.max_weight(synapses.weight_bits) + rounding.weight_lsb(synapses.weight_bits) / 2
    off = np.abs(threshold / (neurons.threshold * scale) - 1) if neurons.spiking else np.zeros(1)
    return ProjectionQuantization(
        name=synapses.name,
        scale=float(np.mean(scale)),
        weight_exponent=exponent,
        max_abs_weight=rounding.max_abs(synapses.weights),
        weight_error=float(np.sqrt(np.mean((integers - exact) ** 2))) / size,
        clipped_weights=int(np.count_nonzero(np.abs(exact) > most)),
        zeroed_weights=int(np.count_nonzero((integers == 0) & (exact != 0))),
        threshold=int(threshold.max()),
        threshold_error=float(off.max()),
        bias_error=float(np.max(np.abs(bias - neurons.bias * scale) / unit)),
        weight_bits=synapses.weight_bits,
    )
