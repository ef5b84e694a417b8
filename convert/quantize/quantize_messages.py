"""Quantize the populations of a sigma-delta network, whose scales depend on one another."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...runtime.arithmetic import ALIGN_BITS
from ...runtime.population import Kind, Population
from ...runtime.projection import Projection
from . import scales
from .float_network import FloatNetwork, FloatPopulation, FloatProjection
from .quantization_errors import ProjectionQuantization, measure_error
from .quantize_projection import build_projection


def scale_messages(network: FloatNetwork) -> dict[str, float]:
    """Scale of each population of a sigma-delta network, see `scales.message_scales`."""
    layers: dict[str, scales.MessageSums] = {}
    encoders: dict[str, float] = {}
    for population in network.populations:
        if population.messages == "delta":
            encoders[population.name] = encoder_scale(population.threshold)
        elif population.messages:
            incoming = [p for p in network.projections if p.target == population.name]
            layers[population.name] = scales.MessageSums(
                [scales.max_abs(p.weights) for p in incoming],
                [p.source for p in incoming],
                population.threshold if population.messages == "sigma_delta" else 0.0,
                min(p.weight_bits for p in incoming),
                population.max_abs_voltage,
            )
    return scales.message_scales(layers, encoders)


def encoder_scale(threshold: float) -> float:
    """Scale of a delta encoder of a `threshold` in units of the input."""
    return float(scales.DELTA_WEIGHT) * 2.0 ** scales.delta_exponent(threshold)


def quantize_messages(
    population: FloatPopulation,
    incoming: Sequence[FloatProjection],
    message_scales: Mapping[str, float],
) -> tuple[Population, list[Projection], list[ProjectionQuantization]]:
    """Quantize one population and its incoming projections at the scales of `scale_messages`."""
    scale = message_scales[population.name]
    kind: Kind = "integrator"
    if population.messages == "delta" or population.messages == "sigma_delta":
        kind = population.messages
    threshold = 0 if kind == "integrator" else population.threshold
    exponent = scales.bias_exponent(scales.max_abs(population.bias), scale)
    bias = scales.quantize_bias(population.bias, scale, exponent)
    quantized = Population(
        population.name,
        population.shape,
        kind,
        threshold=scales.quantize_threshold(threshold, scale),
        bias=bias if kind == "sigma_delta" else 0,
        bias_exponent=exponent if kind == "sigma_delta" else ALIGN_BITS,
        align_bits=0 if kind == "integrator" else ALIGN_BITS,
    )
    projections, errors = [], []
    for each in (replace(projection, divides=False) for projection in incoming):
        if kind == "delta":
            of_weights = float(scales.DELTA_WEIGHT)
            projection = build_projection(each, of_weights)
            shift = scales.delta_exponent(population.threshold)
            projection = replace(projection, weight_exponent=shift)
        else:
            of_weights = scales.ALIGN * scale / message_scales[each.source]
            projection = build_projection(each, of_weights)
        projections.append(projection)
        exact = replace(projection, weight_exponent=max(projection.weight_exponent, 0))
        measured = measure_error(each, population, exact, quantized, of_weights)
        errors.append(_measure_neurons(measured, population, quantized, scale))
    return quantized, projections, errors


def _measure_neurons(
    measured: ProjectionQuantization, before: FloatPopulation, after: Population, scale: float
) -> ProjectionQuantization:
    """Add the errors of neurons whose scale is not that of their weights."""
    exact = before.threshold * scale
    bias = after.bias.reshape(-1) * 2.0**after.bias_exponent / scales.ALIGN
    return replace(
        measured,
        threshold_error=abs(int(after.threshold) / exact - 1) if exact else 0.0,
        bias_error=float(np.max(np.abs(bias - before.bias * scale))) / scale,
    )
