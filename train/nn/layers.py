"""Layers: neurons, and the projections that drive them, in real numbers or as on the chip.

Tensors are (timesteps, batch, *shape). While a layer is not `quantised` it computes in real
numbers with live batch norm. Once quantised, batch norm's running statistics are frozen and folded,
and the forward pass is the converted network's, integer for integer; gradients pass the rounding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ...convert.quantize import scales as rounding
from ...convert.quantize.float_network import FloatPopulation, FloatProjection
from .neuron import NeuronConfig, lif
from .projections import InputSpec, Linear, Projection, Shape


class SpikingLayer(nn.Module):
    """Neurons called `name` that follow `rule`, driven by the sum of their `projections`.

    Takes for each projection what it reads, whole numbers; gives spikes, or voltages in real units
    where the rule does not spike. A layer of a flat target flattens its sources. Once quantised,
    its weights have `bits` bits. `reach` is the largest voltage seen in training of one that does
    not spike: its integers must hold it.
    """

    max_abs_voltage: Tensor

    def __init__(
        self,
        name: str,
        projections: Sequence[Projection],
        neuron: NeuronConfig,
        threshold: float = 1.0,
        weight_bits: int = rounding.WEIGHT_BITS,
    ):
        super().__init__()
        self.name = name
        self.projections = nn.ModuleList(projections)
        self.neuron = neuron
        self.threshold = threshold
        self.weight_bits = weight_bits
        self.quantized = False
        if not neuron.spiking:
            self.register_buffer("max_abs_voltage", torch.zeros(()))

    @property
    def projection_list(self) -> list[Projection]:
        """Its projections."""
        return [p for p in self.projections if isinstance(p, Projection)]

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """What each of its projections reads."""
        return tuple(projection.input_spec for projection in self.projection_list)

    @property
    def linear(self) -> Linear:
        """The linear map of its first projection."""
        linear = self.projection_list[0].linear
        assert linear is not None
        return linear

    def forward(self, *values: Tensor) -> Tensor:
        if self.quantized:
            return self._forward_quantized(values)
        activation = _sum_tensors(
            [way(value) for way, value in zip(self.projection_list, values, strict=False)]
        )
        out = self.activate(activation, activation.new_zeros(()), self.threshold, None)
        if self.training and not self.neuron.spiking:
            torch.maximum(self.max_abs_voltage, out.detach().abs().max(), out=self.max_abs_voltage)
        return out

    def activate(
        self, activation: Tensor, bias: Tensor, level: float, weights: list[Tensor] | None
    ) -> Tensor:
        """Return what neurons driven by `activation` send; with rounded `weights`, in integers."""
        return lif(activation, bias, level, self.neuron, weights is not None)

    def _forward_quantized(self, values: Sequence[Tensor]) -> Tensor:
        folded = [way.fold_batch_norm() for way in self.projection_list]
        peaks = [rounding.max_abs(weights.detach()) for weights, _ in folded]
        threshold = self.threshold if self.neuron.spiking else 0.0
        reach = 0.0 if self.neuron.spiking else float(self.max_abs_voltage)
        scale = rounding.population_scale(peaks, threshold, self.weight_bits, reach)
        weights = [
            self._quantize_weights(each, peak, scale)
            for (each, _), peak in zip(folded, peaks, strict=True)
        ]
        driven = zip(self.projection_list, values, weights, strict=False)  # a loop drives itself
        activation = _sum_tensors([way.project(value, each) for way, value, each in driven])
        bias = _sum_tensors([bias for _, bias in folded])
        shift = rounding.bias_exponent(float(bias.detach().abs().max()), scale)
        mantissa = rounding.quantize_bias(bias, scale, shift)
        added = _straight_through(bias * (scale * rounding.ALIGN), mantissa * 2.0**shift)
        added = added.view(-1, *([1] * (activation.dim() - 3)))
        level = rounding.quantize_threshold(self.threshold, scale)
        out = self.activate(activation, added, level, weights)
        return out if self.neuron.spiking else out * (1.0 / (scale * rounding.ALIGN))

    def _quantize_weights(self, weights: Tensor, peak: float, scale: float) -> Tensor:
        """Return `weights` as the whole numbers they count as, exponent and all."""
        exponent = rounding.weight_exponent(peak, scale, self.weight_bits)
        rounded = (
            rounding.quantize_weights(weights, scale, exponent, self.weight_bits) * 2.0**exponent
        )
        return _straight_through(weights * scale, rounded)

    def output_shape(self, *values: Tensor) -> Shape:
        """Return the shape of its neurons, where its projections read `values`."""
        arriving = self.projection_list[0].project(values[0], self.projection_list[0].weights)
        return tuple(arriving.shape[2:])

    def to_float(
        self, shape: Shape, shapes: dict[str, Shape]
    ) -> tuple[FloatPopulation, list[FloatProjection]]:
        """Return this layer in the real numbers it would be rounded from.

        `shape` is its own, `shapes` those of the populations before it.
        """
        with torch.no_grad():
            bias = (
                _sum_tensors([way.fold_batch_norm()[1] for way in self.projection_list])
                .cpu()
                .numpy()
            )
        rule = self.neuron
        neurons = FloatPopulation(
            self.name,
            shape,
            np.broadcast_to(bias, shape[:1]),
            self.threshold if rule.spiking else 0.0,
            rule.current_decay / rounding.DECAY_ONE,
            rule.voltage_decay / rounding.DECAY_ONE,
            rule.spiking,
            max_abs_voltage=0.0 if rule.spiking else float(self.max_abs_voltage),
        )
        shapes = {**shapes, self.name: shape}
        synapses = [
            replace(each, weight_bits=self.weight_bits)
            for way in self.projection_list
            for each in way.to_float(self.name, shapes[way.input_spec.sources[0]])
        ]
        return neurons, synapses


def _sum_tensors(parts: Sequence[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _straight_through(real: Tensor, rounded: Tensor) -> Tensor:
    """Return `rounded` exactly, with the gradient of `real`."""
    return rounded.detach() + (real - real.detach())


def set_quantized(layers: Iterable[nn.Module], quantized: bool) -> None:
    """Switch every layer among `layers` to integers or back; frozen batch norm keeps its mode."""
    for module in layers:
        if isinstance(module, SpikingLayer):
            module.quantized = quantized
