"""Quantize a float network to an integer `Network`, and measure the error of each projection."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.arithmetic import ACTIVATION_LIMIT, ALIGN_BITS, DECAY_ONE
from ...runtime.connections import Connection, Conv, Dense, SumPool
from ...runtime.errors import NetworkError
from ...runtime.network import CURRENT_LIMIT, Network
from ...runtime.population import Population
from ...runtime.projection import Projection
from ...runtime.readout import Readout
from . import scales
from .float_network import FloatNetwork, FloatPopulation, FloatProjection

BAD_ERROR = 0.1  # of a bias
MANY_ZEROED, MEANINGLESS_ZEROED = 0.5, 0.95  # of the weights
Scale = float | NDArray[np.float32]  # weight units per float unit: one number, or one per channel


@dataclass(frozen=True)
class ProjectionQuantization:
    """Quantization errors of one projection.

    Attributes:
        name: Name of the projection.
        scale: Weight units per float unit; the mean where channels differ.
        weight_exponent: Exponent of the weights: they count times two to its power.
        max_abs_weight: Largest absolute weight before quantization.
        weight_error: Root mean square error of the weights over their root mean square.
        clipped_weights: Number of weights clipped at the ends of the range.
        zeroed_weights: Number of non-zero weights that became zero.
        threshold: Integer threshold; the largest where channels differ.
        threshold_error: Its relative error.
        bias_error: Largest error of a bias as a fraction of the threshold; of an integrator in
            float units.
        weight_bits: Bits of the weights.
        max_abs_bias: Largest absolute bias before quantization.
        nonzero_weights: Number of weights other than zero before quantization.
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
    weight_bits: int = scales.WEIGHT_BITS
    max_abs_bias: float = 0.0
    nonzero_weights: int = 0

    @property
    def relative_bias_error(self) -> float:
        """Largest error of a bias over the threshold; of an integrator over the largest bias."""
        if self.threshold or not self.max_abs_bias:
            return self.bias_error
        return self.bias_error / self.max_abs_bias

    @property
    def zeroed_fraction(self) -> float:
        """Fraction of the weights other than zero that became zero."""
        return self.zeroed_weights / max(self.nonzero_weights, 1)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings of integers so coarse that results may differ; empty as a rule."""
        of = "threshold" if self.threshold else "largest bias"
        found = []
        if self.relative_bias_error > BAD_ERROR:
            percent = f"{100 * self.relative_bias_error:.0f} %"
            found.append(
                f"{self.name}: a bias is off by {percent} of the {of}, since it is clipped"
            )
        if self.zeroed_fraction > MANY_ZEROED:
            percent = f"{100 * self.zeroed_fraction:.1f} %"
            found.append(f"{self.name}: {percent} of its weights become zero, since one is larger")
        return tuple(found)

    @property
    def is_meaningless(self) -> bool:
        """True where integers cannot stand for the model: an error as large as what it is of."""
        worst = 1.0 if self.threshold else 0.5
        return self.relative_bias_error > worst or self.zeroed_fraction > MEANINGLESS_ZEROED


def quantize_network(
    network: FloatNetwork,
) -> tuple[Network, tuple[ProjectionQuantization, ...]]:
    """Round a float network to integers: weights of 4 to 8 bits with one exponent per projection.

    This is the last step of the pipeline, `convert.pipeline.quantize_model`.

    Args:
        network: The float network, its weight bits, scales and calibration settled.

    Returns:
        The integer network, and the errors of each projection.

    Raises:
        NetworkError: A parameter is not finite, or the integers do not fit the registers.
    """
    populations = [*network.inputs]
    projections: list[Projection] = []
    errors: list[ProjectionQuantization] = []
    for population in network.populations:
        incoming = [p for p in network.projections if p.target == population.name]
        quantized, its_projections, its_errors = quantize_population(population, incoming)
        populations.append(quantized)
        projections += its_projections
        errors += its_errors
    limited = [_limit_spikes(p, populations, projections) for p in populations]
    quantized_network = Network(
        tuple(limited),
        tuple(projections),
        network.output,
        network.provenance,
        readout=_quantize_readout(network),
    )
    return quantized_network, tuple(errors)


def _limit_spikes(
    population: Population, populations: Sequence[Population], projections: Sequence[Projection]
) -> Population:
    """Lower `max_spikes` to what the sums of its targets hold."""
    most = population.max_spikes
    if most == 1:
        return population
    by_name = {p.name: p for p in populations}
    for projection in projections:
        if projection.source == population.name:
            sums = int(projection.connection.sum_abs_weights().max(initial=0))
            scaled = max(sums, sums << max(projection.weight_exponent, 0), 1)
            decay = int(by_name[projection.target].current_decay.min())
            room = min(ACTIVATION_LIMIT, CURRENT_LIMIT // DECAY_ONE * decay >> ALIGN_BITS)
            sharing = sum(p.target == projection.target for p in projections)
            most = min(most, max(room // sharing // scaled, 2))
    return replace(population, max_spikes=most, value_bits=1)


def _quantize_readout(network: FloatNetwork) -> Readout:
    """Readout rule for integer outputs: the scale of a regression per 1/64 weight unit."""
    readout = network.readout
    if readout.task != "regression":
        return readout
    output = next(p for p in network.populations if p.name == network.output)
    incoming = [p for p in network.projections if p.target == output.name]
    unit = float(np.mean(weight_scale(output, incoming))) * scales.ALIGN
    return replace(readout, scale=tuple(value / unit for value in readout.scale))


def quantize_population(
    population: FloatPopulation, incoming: Sequence[FloatProjection]
) -> tuple[Population, list[Projection], list[ProjectionQuantization]]:
    """Quantize one population and its incoming projections at the scale of `weight_scale`.

    Raises:
        NetworkError: As `quantize_network`.
    """
    _validate(population, incoming)
    scale = weight_scale(population, incoming)
    quantized = _build_population(population, scale)
    projections = [_build_projection(p, scale) for p in incoming]
    errors = [
        _measure_error(before, population, after, quantized, scale)
        for before, after in zip(incoming, projections, strict=True)
    ]
    return quantized, projections, errors


def weight_scale(population: FloatPopulation, incoming: Sequence[FloatProjection]) -> Scale:
    """Scale at which the smallest incoming weights use all their bits.

    Returns:
        One number for the population; where it is quantized `per_channel`, one per channel,
        float32 (channels,).
    """
    threshold = population.threshold
    if population.reset != "zero":
        threshold = max(threshold, float(np.abs(population.reset_value).max()))
    bits = min(p.weight_bits for p in incoming)
    if not population.per_channel:
        return scales.population_scale(
            [scales.max_abs(p.weights) for p in incoming],
            threshold,
            bits,
            population.max_abs_voltage,
        )
    channels = population.shape[0]
    rows = [np.abs(p.weights).reshape(channels, -1).max(axis=1) for p in incoming]
    bias = np.broadcast_to(population.bias, channels)
    return np.array(
        [
            scales.channel_scale([float(row[c]) for row in rows], threshold, float(bias[c]), bits)
            for c in range(channels)
        ],
        np.float32,
    )


def _validate(population: FloatPopulation, incoming: Sequence[FloatProjection]) -> None:
    if not incoming:
        raise NetworkError(f"{population.name}: nothing projects to it")
    arrays = [(population.name, population.bias), *((p.name, p.weights) for p in incoming)]
    for name, values in arrays:
        wrong = int(np.count_nonzero(~np.isfinite(values)))
        if wrong:
            raise NetworkError(f"{name}: {wrong} of {values.size} values are NaN or infinite")
    if population.per_channel and not (
        population.spiking and all(p.kind in ("conv", "dense") for p in incoming)
    ):
        raise NetworkError(
            f"{population.name}: cannot be quantized per channel: needs a threshold, and no sum "
            "pool"
        )


def _build_population(population: FloatPopulation, scale: Scale) -> Population:
    exponent = scales.bias_exponent(*_max_abs_and_scale(population.bias, scale))
    threshold = scales.quantize_threshold(population.threshold, scale) if population.spiking else 0
    reset_value: Any = 0
    if population.reset != "zero":
        reset_value = scales.quantize_reset(population.reset_value, scale, population.reset)
    return Population(
        population.name,
        population.shape,
        "cuba" if population.spiking else "integrator",
        current_decay=scales.quantize_decay(population.current_decay),
        voltage_decay=scales.quantize_decay(population.voltage_decay),
        threshold=threshold,
        bias=scales.quantize_bias(population.bias, scale, exponent),
        bias_exponent=exponent,
        reset=population.reset,
        reset_value=reset_value,
        refractory=population.refractory,
        max_spikes=population.max_spikes,
        min_voltage=scales.quantize_bound(population.min_voltage, scale),
    )


def _build_projection(projection: FloatProjection, scale: Scale) -> Projection:
    rows = broadcast_scale(projection, scale)
    bits = projection.weight_bits
    exponent = scales.weight_exponent(*_max_abs_and_scale(projection.weights, rows), bits)
    integers = scales.quantize_weights(projection.weights, rows, exponent, bits)
    connection: Connection
    if projection.kind == "conv":
        geometry = projection.stride, projection.padding, projection.dilation, projection.groups
        connection = Conv(integers, *geometry)
    elif projection.kind == "dense":
        connection = Dense(integers)
    else:
        weight = int(integers[0])
        connection = SumPool(projection.kernel, projection.stride, projection.padding, weight)
    source, target = projection.source, projection.target
    return Projection(projection.name, source, target, connection, exponent, projection.delay)


def broadcast_scale(projection: FloatProjection, scale: Scale) -> Scale:
    """Reshape a scale per channel so that it broadcasts to the rows of the weights."""
    if isinstance(scale, float):
        return scale
    weights = projection.weights
    repeated = np.repeat(scale, len(weights) // len(scale))
    return repeated.reshape(-1, *[1] * (weights.ndim - 1))


def _max_abs_and_scale(values: NDArray[np.float32], scale: Scale) -> tuple[float, float]:
    """Largest magnitude and its scale; where scales differ, the largest product and 1."""
    if isinstance(scale, float):
        return scales.max_abs(values), scale
    return scales.max_abs(values * scale), 1.0


def _measure_error(
    before: FloatProjection,
    population: FloatPopulation,
    after: Projection,
    quantized: Population,
    scale: Scale,
) -> ProjectionQuantization:
    exponent, rows, bits = after.weight_exponent, broadcast_scale(before, scale), before.weight_bits
    exact = before.weights * rows / 2.0**exponent
    integers = scales.quantize_weights(before.weights, rows, exponent, bits)
    size = max(float(np.sqrt(np.mean(exact**2))), scales.MIN_NORMAL)
    threshold = quantized.threshold.reshape(-1)
    threshold_error = np.zeros(1)
    if population.spiking:
        threshold_error = np.abs(threshold / (population.threshold * scale) - 1)
    bias = quantized.bias.reshape(-1) * 2.0**quantized.bias_exponent / scales.ALIGN
    unit = np.maximum(threshold, 1) if population.spiking else np.float64(np.mean(scale))
    limit = scales.max_weight(bits) + scales.weight_lsb(bits) / 2
    return ProjectionQuantization(
        name=before.name,
        scale=float(np.mean(scale)),
        weight_exponent=exponent,
        max_abs_weight=scales.max_abs(before.weights),
        weight_error=float(np.sqrt(np.mean((integers - exact) ** 2))) / size,
        clipped_weights=int(np.count_nonzero(np.abs(exact) > limit)),
        zeroed_weights=int(np.count_nonzero((integers == 0) & (exact != 0))),
        threshold=int(threshold.max()),
        threshold_error=float(threshold_error.max()),
        bias_error=float(np.max(np.abs(bias - population.bias * scale) / unit)),
        weight_bits=bits,
        max_abs_bias=float(np.max(np.abs(population.bias))),
        nonzero_weights=int(np.count_nonzero(exact)),
    )


def list_lost_parameters(network: FloatNetwork, quantized: Network) -> dict[str, list[str]]:
    """List by population the parameters that rounding turned into none at all, in words."""
    found: dict[str, list[str]] = {}
    for population in network.populations:
        integers = quantized.population(population.name)
        lost = [
            *_lost_decays(population, integers),
            *_lost_biases(population, integers),
        ]
        if population.spiking and population.threshold > 0 and not integers.threshold.all():
            lost.append(f"its threshold of {population.threshold:g} rounds to zero")
        if lost:
            found[population.name] = lost
    return found


def _lost_decays(population: FloatPopulation, integers: Population) -> list[str]:
    lost = []
    for key in ("current_decay", "voltage_decay"):
        exact = np.atleast_1d(np.asarray(getattr(population, key), np.float64))
        rounded = np.broadcast_to(getattr(integers, key).reshape(-1), exact.shape)
        for end, effect in ((0, "it never decays"), (scales.DECAY_ONE, "nothing is kept")):
            wrong = exact[(rounded == end) & (exact != end / scales.DECAY_ONE)]
            if wrong.size:
                value = float(wrong[np.abs(wrong - end / scales.DECAY_ONE).argmax()])
                lost.append(f"its {key} of {value:g} rounds to {end} of 4096: {effect}")
    return lost


def _lost_biases(population: FloatPopulation, integers: Population) -> list[str]:
    exact = np.atleast_1d(population.bias)
    rounded = np.broadcast_to(integers.bias.reshape(-1), exact.shape)
    if exact.any() and not rounded.any():
        return [f"its biases of up to {np.abs(exact).max():g} round to zero"]
    return []
