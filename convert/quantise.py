"""From real numbers to a `Network`, with an account of what rounding did to each layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..runtime.connections import Connection, Conv, Dense, SumPool
from ..runtime.errors import NetworkError
from ..runtime.network import Network
from ..runtime.population import Population
from ..runtime.projection import Projection
from . import rounding
from .graph import Graph, Neurons, Synapses

Scale = float | NDArray[np.float32]  # weight units a real unit: one number, or one a channel


@dataclass(frozen=True)
class Rounded:
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
    largest_weight: float
    weight_error: float
    clipped: int
    zeroed: int
    threshold: int
    threshold_error: float
    bias_error: float
    bits: int = 8


def quantised(graph: Graph) -> tuple[Network, tuple[Rounded, ...]]:
    """Round `graph` to a `Network`: weights of 4 to 8 bits with one exponent a projection.

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
        population, joined, told = rounded(neurons, incoming)
        populations.append(population)
        projections += joined
        report += told
    network = Network(tuple(populations), tuple(projections), graph.output, graph.provenance)
    return network, tuple(report)


def rounded(
    neurons: Neurons, incoming: Sequence[Synapses]
) -> tuple[Population, list[Projection], list[Rounded]]:
    """Round one population and what reaches it, at the scale that `scale_of` gives."""
    _check_finite(neurons, incoming)
    scale = scale_of(neurons, incoming)
    population = _population(neurons, scale)
    projections = [_projection(s, scale) for s in incoming]
    told = [
        _rounded(s, neurons, p, population, scale)
        for s, p in zip(incoming, projections, strict=True)
    ]
    return population, projections, told


def scale_of(neurons: Neurons, incoming: Sequence[Synapses]) -> Scale:
    """Return the scale that gives the smallest weights into `neurons` all their bits.

    One for the population; where neurons are rounded `by_channel`, one a channel, float32.
    """
    threshold = neurons.threshold
    bits = min(s.bits for s in incoming)
    if not neurons.by_channel:
        return rounding.population_scale(
            [rounding.largest(s.weights) for s in incoming], threshold, bits, neurons.reach
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


def _check_finite(neurons: Neurons, incoming: Sequence[Synapses]) -> None:
    if not incoming:
        raise NetworkError(f"{neurons.name}: nothing projects to it")
    for name, values in [(neurons.name, neurons.bias), *((s.name, s.weights) for s in incoming)]:
        wrong = int(np.count_nonzero(~np.isfinite(values)))
        if wrong:
            raise NetworkError(f"{name}: {wrong} of {values.size} values are NaN or infinite")
    if neurons.by_channel and not (
        neurons.spikes and all(s.kind in ("conv", "dense") for s in incoming)
    ):
        raise NetworkError(
            f"{neurons.name}: cannot be rounded by channel: needs a threshold, and no sum pool"
        )


def _population(neurons: Neurons, scale: Scale) -> Population:
    exponent = rounding.bias_exponent(*_peak(neurons.bias, scale))
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


def _projection(synapses: Synapses, scale: Scale) -> Projection:
    rows = by_row(synapses, scale)
    exponent = rounding.weight_exponent(*_peak(synapses.weights, rows), synapses.bits)
    integers = rounding.rounded_weights(synapses.weights, rows, exponent, synapses.bits)
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


def by_row(synapses: Synapses, scale: Scale) -> Scale:
    """Return `scale` so that it broadcasts to the weights, whose rows come channel by channel."""
    if isinstance(scale, float):
        return scale
    weights = synapses.weights
    repeated = np.repeat(scale, len(weights) // len(scale))
    return repeated.reshape(-1, *[1] * (weights.ndim - 1))


def _peak(values: NDArray[np.float32], scale: Scale) -> tuple[float, float]:
    """Return the largest magnitude and its scale; where scales differ, of their product."""
    if isinstance(scale, float):
        return rounding.largest(values), scale
    return rounding.largest(values * scale), 1.0


def _rounded(
    synapses: Synapses,
    neurons: Neurons,
    projection: Projection,
    population: Population,
    scale: Scale,
) -> Rounded:
    exponent, rows = projection.weight_exponent, by_row(synapses, scale)
    exact = synapses.weights * rows / 2.0**exponent
    integers = rounding.rounded_weights(synapses.weights, rows, exponent, synapses.bits)
    size = max(float(np.sqrt(np.mean(exact**2))), 2.0**-1022)
    threshold = population.threshold.reshape(-1)
    bias = population.bias.reshape(-1) * 2.0**population.bias_exponent / rounding.ALIGN
    unit = np.maximum(threshold, 1) if neurons.spikes else np.float64(np.mean(scale))
    most = rounding.weight_limit(synapses.bits) + rounding.weight_step(synapses.bits) / 2
    off = np.abs(threshold / (neurons.threshold * scale) - 1) if neurons.spikes else np.zeros(1)
    return Rounded(
        name=synapses.name,
        scale=float(np.mean(scale)),
        weight_exponent=exponent,
        largest_weight=rounding.largest(synapses.weights),
        weight_error=float(np.sqrt(np.mean((integers - exact) ** 2))) / size,
        clipped=int(np.count_nonzero(np.abs(exact) > most)),
        zeroed=int(np.count_nonzero((integers == 0) & (exact != 0))),
        threshold=int(threshold.max()),
        threshold_error=float(off.max()),
        bias_error=float(np.max(np.abs(bias - neurons.bias * scale) / unit)),
        bits=synapses.bits,
    )
