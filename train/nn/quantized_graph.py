"""The integers of a quantized layer as one operator, which torch.compile takes into its graph.

Scales and exponents are numbers that depend on the weights; inside the operator they break no
graph. Values and gradients are those of `layer_quantization.quantize_layer`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...convert.quantize import scales
from .exact_sums import EXACT_LIMIT, check_bound
from .layer_quantization import QuantizationSettings, sum_weights
from .projections import Projection


@torch.library.custom_op("pumice::quantize_layer", mutates_args=())
def quantize_tensors(  # noqa: PLR0913 (arguments of an operator are tensors and numbers)
    weights: Sequence[Tensor],
    gains: Sequence[Tensor],
    bias: Tensor,
    max_abs_voltage: Tensor,
    factors: Sequence[float],
    peaks: Sequence[int],
    areas: Sequence[int],
    bits: int,
    threshold: float,
    layer: str,
) -> list[Tensor]:
    """Quantized weights, with their exponents; units of the sums; bias; threshold; scale.

    Args:
        weights: Weights of each projection, (output channels, ...).
        gains: Batch norm's gain of each output channel.
        bias: Folded bias of each output channel.
        max_abs_voltage: Largest voltage of an integrator, else 0; of no dimension.
        factors: Divisor of average pooling of each projection, as a factor.
        peaks: Largest input value of each projection.
        areas: Values that pooling adds up, of each projection; 0 where exponents are 0 or more.
        bits: Bits of the weights.
        threshold: Firing threshold, 0 of an integrator.
        layer: Name of the layer, for errors.

    Returns:
        Integers in tensors like `weights`; a unit of the sums of each projection, 1 or a negative
        power of two, float32 on their device; integers like `bias` (in 1/64 weight units); the
        threshold in weight units, float32, and the weight units per float unit, float64, on the
        CPU.
    """
    folded = [_fold(*each) for each in zip(weights, gains, factors, strict=True)]
    largest = [scales.max_abs(each) for each in folded]
    max_abs_bias = float(bias.abs().max())
    scale = scales.population_scale(
        largest, threshold, bits, float(max_abs_voltage), max_abs_bias=max_abs_bias
    )
    exponents = [
        scales.fine_weight_exponent(sum_weights(each, peak, area, most // area), scale, bits)
        if area and scales.is_coarse(peak, scale, bits)
        else scales.weight_exponent(peak, scale, bits)
        for each, peak, area, most in zip(folded, largest, areas, peaks, strict=True)
    ]
    units = [bias.new_tensor(2.0 ** min(exponent, 0)) for exponent in exponents]
    quantized = [
        scales.quantize_weights(each, scale, exponent, bits) * 2.0**exponent
        for each, exponent in zip(folded, exponents, strict=True)
    ]
    _check_sums(layer, quantized, peaks)
    exponent = scales.bias_exponent(max_abs_bias, scale)
    mantissa = scales.quantize_bias(bias, scale, exponent)
    level = torch.tensor(float(scales.quantize_threshold(threshold, scale)))
    scale_tensor = torch.tensor(scale, dtype=torch.float64)
    return [*quantized, *units, mantissa * 2.0**exponent, level, scale_tensor]


@quantize_tensors.register_fake
def _(weights: Sequence[Tensor], gains: Sequence[Tensor], bias: Tensor, *_: Any) -> list[Tensor]:
    numbers = torch.empty(()), torch.empty((), dtype=torch.float64)
    units = (bias.new_empty(()) for _ in weights)
    like = (torch.empty_like(each) for each in weights)
    return [*like, *units, torch.empty_like(bias), *numbers]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    weights, gains, _, _, factors, *_ = inputs
    ctx.save_for_backward(*weights, *gains, output[-1])
    ctx.factors = factors


def _backward(ctx: Any, gradients: list[Tensor]) -> tuple[Any, ...]:
    *tensors, scale = ctx.saved_tensors
    count = len(tensors) // 2
    weights, gains = tensors[:count], tensors[count:]
    unit = scale.to(weights[0])
    of_weights, of_gains = [], []
    for weight, gain, factor, gradient in zip(weights, gains, ctx.factors, gradients, strict=False):
        scaled = gradient * (unit * factor)
        of_weights.append(scaled * _per_row(gain, weight))
        of_gains.append((scaled * weight).flatten(1).sum(dim=1).view_as(gain))
    of_bias = gradients[2 * count] * (unit * scales.ALIGN)
    return of_weights, of_gains, of_bias, *[None] * 7


quantize_tensors.register_autograd(_backward, setup_context=_setup_context)


def _fold(weights: Tensor, gain: Tensor, factor: float) -> Tensor:
    return (weights * factor) * _per_row(gain, weights)


def _per_row(gain: Tensor, weights: Tensor) -> Tensor:
    return gain.view(-1, *[1] * (weights.dim() - 1))


def _check_sums(layer: str, weights: Sequence[Tensor], peaks: Sequence[int]) -> None:
    """Raise `NetworkError` where sums may leave the integers that float32 holds."""
    total = 0.0
    for each, peak in zip(weights, peaks, strict=True):
        total += float(each.abs().double().view(len(each), -1).sum(dim=1).max()) * peak
    if total > EXACT_LIMIT:
        check_bound(layer, total)


def fits_graph(projections: Sequence[Projection]) -> bool:
    """True where the operator takes the weights of all projections."""
    return all(
        each.delays == (0,) and (each.linear is None or each.rows is not None)
        for each in projections
    )


def quantize_in_graph(
    layer: str,
    projections: Sequence[Projection],
    settings: QuantizationSettings,
    max_abs_voltage: Tensor,
    event_peak: int,
) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor, Tensor]:
    """Quantize the projections into one layer, as `quantize_tensors` returns it."""
    weights, gains, biases, factors = [], [], [], []
    for each in projections:
        rows = each.one if each.rows is None else each.rows
        gain, bias = each.fold_gain()
        weights.append(rows)
        gains.append(rows.new_ones(len(rows)) if gain is None else gain)
        biases.append(bias)
        factors.append(1.0 if each.linear is None else each.pool_factor)
    total = biases[0]
    for bias in biases[1:]:
        total = total + bias
    peaks = [each.max_input(event_peak) for each in projections]
    areas = [each.pool_area if each.divides else 0 for each in projections]
    *quantized, bias, threshold, scale = quantize_tensors(
        weights, gains, total, max_abs_voltage, factors, peaks, areas,
        settings.weight_bits, settings.threshold, layer,
    )  # fmt: skip
    integers, units = quantized[: len(weights)], quantized[len(weights) :]
    return integers, units, bias, threshold.detach(), scale.detach()


def round_down_in_graph(sums: Tensor, unit: Tensor) -> Tensor:
    """Round multiples of `unit` down to integers where it is below 1; straight through."""
    exact = torch.floor(torch.round(sums.detach() / unit) * unit)
    return sums + torch.where(unit < 1, exact - sums.detach(), torch.zeros_like(unit))
