"""Integers of a layer in quantization-aware training: those that the conversion will give it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...convert.quantize import scales
from .projections import Projection
from .weight_kernels import QuantizeFolded, has_kernel, max_abs_folded


@dataclass(frozen=True)
class QuantizationSettings:
    """Quantities that decide the integers of a layer, beside its weights.

    Attributes:
        weight_bits: Bits of the weights.
        threshold: Threshold, 0 of an integrator.
        max_abs_voltage: Largest voltage of an integrator, 0 where unknown.
        event_peak: Largest value of the events.
    """

    weight_bits: int
    threshold: float
    max_abs_voltage: float
    event_peak: int = 1


@dataclass(frozen=True)
class QuantizedLayer:
    """Integers in floating-point tensors, with gradients that pass the rounding straight through.

    Attributes:
        weights: Weights of each projection, its exponent included, batch norm folded.
        bias: Bias of each output channel, in 1/64 weight units.
        threshold: Threshold in weight units.
        scale: Weight units per float unit.
        exponents: Weight exponents of each projection, one for each delay.
    """

    weights: list[Tensor]
    bias: Tensor
    threshold: int
    scale: float
    exponents: list[list[int]]


def quantize_layer(
    projections: Sequence[Projection], settings: QuantizationSettings
) -> QuantizedLayer:
    """Quantize the projections into one layer; they share its scale."""
    bits = settings.weight_bits
    folded = [FoldedWeights(projection) for projection in projections]
    peaks = [peak for each in folded for peak in each.peaks]
    bias = folded[0].bias
    for each in folded[1:]:
        bias = bias + each.bias
    max_abs_bias = float(bias.detach().abs().max())
    scale = scales.population_scale(
        peaks, settings.threshold, bits, settings.max_abs_voltage, max_abs_bias=max_abs_bias
    )
    exponents = [each.choose_exponents(scale, settings) for each in folded]
    weights = [
        each.quantize(scale, bits, chosen) for each, chosen in zip(folded, exponents, strict=True)
    ]
    exponent = scales.bias_exponent(max_abs_bias, scale)
    mantissa = scales.quantize_bias(bias, scale, exponent)
    bias = _straight_through(bias * (scale * scales.ALIGN), mantissa * 2.0**exponent)
    threshold = scales.quantize_threshold(settings.threshold, scale)
    return QuantizedLayer(weights, bias, threshold, scale, exponents)


class FoldedWeights:
    """Weights of a projection with batch norm folded in: as one tensor, or as what it is made of.

    Where `weight_kernels` takes them, folding, rounding and their gradients are single passes. The
    weights of each delay have an exponent, and a peak, of their own.
    """

    def __init__(self, projection: Projection):
        self.rows, self.factor = projection.rows, projection.pool_factor
        self.projection = projection
        gain, self.bias = projection.fold_gain()
        if self.rows is not None and has_kernel(self.rows) and projection.delays == (0,):
            self.gain = self.rows.new_ones(len(self.rows)) if gain is None else gain
            peak = max_abs_folded(self.rows, self.gain, self.factor)
            self.peaks = [max(peak, scales.MIN_NORMAL)]
        else:
            self.rows = None
            folded, self.bias = projection.fold_batch_norm()
            self.parts = projection.split_delays(folded)
            self.peaks = [scales.max_abs(part.detach()) for part in self.parts]

    def choose_exponents(self, scale: float, settings: QuantizationSettings) -> list[int]:
        """Weight exponent of each delay, as the converter chooses it."""
        bits = settings.weight_bits
        return [
            scales.fine_weight_exponent(self._sums(index, settings), scale, bits)
            if self.projection.divides and scales.is_coarse(peak, scale, bits)
            else scales.weight_exponent(peak, scale, bits)
            for index, peak in enumerate(self.peaks)
        ]

    def _sums(self, index: int, settings: QuantizationSettings) -> scales.WeightSums:
        """Sums of the weights of a delay; converted, pooling is part of the weights."""
        folded, _ = self.projection.fold_batch_norm()
        part = self.projection.split_delays(folded.detach())[index]
        area, max_value = self.projection.pool_area, self.projection.max_value(settings.event_peak)
        return sum_weights(part, self.peaks[index], area, max_value)

    def quantize(self, scale: float, bits: int, exponents: Sequence[int]) -> Tensor:
        """Quantize to integers, times two to the power of the weight exponents."""
        if self.rows is not None:
            return self._quantize_rows(scale, exponents[0], bits)
        quantized = []
        for part, exponent in zip(self.parts, exponents, strict=True):
            mantissa = scales.quantize_weights(part, scale, exponent, bits)
            quantized.append(_straight_through(part * scale, mantissa * 2.0**exponent))
        return torch.cat(quantized, dim=1) if len(quantized) > 1 else quantized[0]

    def _quantize_rows(self, scale: float, exponent: int, bits: int) -> Tensor:
        lsb = scales.weight_lsb(bits)
        result: Tensor = QuantizeFolded.apply(  # type: ignore[no-untyped-call]
            self.rows,
            self.gain,
            self.factor,
            scale / (2.0**exponent * lsb),
            float(scales.max_weight(bits) // lsb),
            lsb * 2.0**exponent,
            scale,
        )
        return result


def sum_weights(weights: Tensor, peak: float, pool_area: int, max_value: int) -> scales.WeightSums:
    """Sums of folded weights (outputs, ...) by neuron, of which pooling makes `pool_area` each."""
    by_neuron = weights.abs().double().reshape(len(weights), -1)
    sum_abs = float(by_neuron.sum(dim=1).max()) * pool_area
    return scales.WeightSums(peak, sum_abs, by_neuron.shape[1] * pool_area, max_value)


def _straight_through(values: Tensor, rounded: Tensor) -> Tensor:
    """Straight-through estimator: exactly `rounded`, with the gradient of `values`."""
    return rounded.detach() + (values - values.detach())
