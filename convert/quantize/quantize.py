"""Quantize a float network to an integer `Network`, and measure the error of each projection."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from ...runtime.arithmetic import ACTIVATION_LIMIT, ALIGN_BITS, DECAY_ONE, DELTA_BITS
from ...runtime.errors import NetworkError
from ...runtime.network import CURRENT_LIMIT, Network
from ...runtime.population import Population
from ...runtime.projection import Projection
from ...runtime.readout import Readout
from . import scales
from .float_network import FloatNetwork, FloatPopulation, FloatProjection
from .quantization_errors import ProjectionQuantization, measure_error
from .quantize_messages import quantize_messages, scale_messages
from .quantize_projection import Scale, build_projection, max_abs_and_scale


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
    message_scales = scale_messages(network)
    for population in network.populations:
        incoming = [p for p in network.projections if p.target == population.name]
        quantized, its_projections, its_errors = quantize_population(
            population, incoming, message_scales
        )
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
    if output.messages:
        unit = scale_messages(network)[output.name] * (1 << DELTA_BITS)
    return replace(readout, scale=tuple(value / unit for value in readout.scale))


def quantize_population(
    population: FloatPopulation,
    incoming: Sequence[FloatProjection],
    message_scales: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Population, list[Projection], list[ProjectionQuantization]]:
    """Quantize one population and its incoming projections at the scale of `weight_scale`.

    Those of a sigma-delta network have the scales of `scale_messages`.

    Raises:
        NetworkError: As `quantize_network`.
    """
    _validate(population, incoming)
    if population.messages:
        return quantize_messages(population, incoming, message_scales)
    scale = weight_scale(population, incoming)
    quantized = _build_population(population, scale)
    projections = [build_projection(p, scale) for p in incoming]
    errors = [
        measure_error(before, population, after, quantized, scale)
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
        amounts = population.reset_value, population.threshold_step
        threshold = max(threshold, *(float(np.abs(each).max()) for each in amounts))
    bits = min(p.weight_bits for p in incoming)
    if not population.per_channel:
        return scales.population_scale(
            _deciding_peaks([scales.max_abs(p.weights) for p in incoming], incoming),
            threshold,
            bits,
            population.max_abs_voltage,
            max_abs_bias=float(np.abs(population.bias).max()),
        )
    channels = population.shape[0]
    rows = [np.abs(p.weights).reshape(channels, -1).max(axis=1) for p in incoming]
    bias = np.broadcast_to(population.bias, channels)
    return np.array(
        [
            scales.channel_scale(
                _deciding_peaks([float(row[c]) for row in rows], incoming),
                threshold,
                float(bias[c]),
                bits,
            )
            for c in range(channels)
        ],
        np.float32,
    )


def _deciding_peaks(peaks: list[float], incoming: Sequence[FloatProjection]) -> list[float]:
    """Largest weights of projections, those of constant sources no smaller than all others."""
    others = [
        peak
        for peak, each in zip(peaks, incoming, strict=True)
        if not each.constant and peak > scales.MIN_NORMAL
    ]
    smallest = min(others, default=0.0)
    return [
        max(peak, smallest) if each.constant else peak
        for peak, each in zip(peaks, incoming, strict=True)
    ]


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
    exponent = scales.bias_exponent(*max_abs_and_scale(population.bias, scale))
    threshold = scales.quantize_threshold(population.threshold, scale) if population.spiking else 0
    reset_value: Any = 0
    adaptive: dict[str, Any] = {}
    if population.reset == "adaptive":
        adaptive = {
            "threshold_step": scales.quantize_threshold(population.threshold_step, scale),
            "threshold_decay": scales.quantize_decay(population.threshold_decay),
            "refractory_decay": scales.quantize_decay(population.refractory_decay),
        }
    elif population.reset != "zero":
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
        **adaptive,
    )
