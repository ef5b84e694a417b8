"""Spiking layers: neurons and the projections that drive them, in floats or in integers.

Tensors are (timesteps, batch, *shape). A layer computes in floats with live batch norm until it is
`quantized`. Then batch norm's running statistics are frozen and folded, and the forward pass equals
the converted network's, integer for integer; gradients pass the rounding straight through.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ...convert.quantize import scales
from ...convert.quantize.float_network import FloatPopulation, FloatProjection
from .neuron import NeuronConfig, lif
from .projections import InputSpec, Linear, Projection, Shape


class SpikingLayer(nn.Module):
    """Neurons driven by the sum of their projections.

    The forward pass takes the input of each projection, integers, and returns spikes, or voltages
    in float units for an integrator. A layer with a flat shape flattens its inputs.

    Args:
        name: Name of the layer, and of its population once converted.
        projections: What drives it; they are summed.
        neuron: Decays, surrogate gradient, spiking or not.
        threshold: Firing threshold.
        weight_bits: Bits of the weights once quantized, 4 to 8.

    Attributes:
        max_abs_voltage: Largest absolute voltage of an integrator in training, which its integers
            must hold.
        quantized: Whether the forward pass is in integers.
    """

    max_abs_voltage: Tensor

    def __init__(
        self,
        name: str,
        projections: Sequence[Projection],
        neuron: NeuronConfig,
        threshold: float = 1.0,
        weight_bits: int = scales.WEIGHT_BITS,
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
        """The projections, typed."""
        return [p for p in self.projections if isinstance(p, Projection)]

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """Input of each projection."""
        return tuple(projection.input_spec for projection in self.projection_list)

    @property
    def linear(self) -> Linear:
        """Linear operation of the first projection."""
        linear = self.projection_list[0].linear
        assert linear is not None
        return linear

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute spikes, or an integrator's voltages, from the input of each projection."""
        if self.quantized:
            return self._forward_quantized(inputs)
        pairs = zip(self.projection_list, inputs, strict=False)  # a recurrent one has no input here
        activation = _sum_tensors([projection(values) for projection, values in pairs])
        out = self.activate(activation, activation.new_zeros(()), self.threshold, None)
        if self.training and not self.neuron.spiking:
            torch.maximum(self.max_abs_voltage, out.detach().abs().max(), out=self.max_abs_voltage)
        return out

    def activate(
        self, activation: Tensor, bias: Tensor, threshold: float, weights: list[Tensor] | None
    ) -> Tensor:
        """Run the neurons on `activation`, in integers where quantized `weights` are given."""
        return lif(activation, bias, threshold, self.neuron, weights is not None)

    def _forward_quantized(self, inputs: Sequence[Tensor]) -> Tensor:
        folded = [projection.fold_batch_norm() for projection in self.projection_list]
        peaks = [scales.max_abs(weights.detach()) for weights, _ in folded]
        spiking = self.neuron.spiking
        scale = scales.population_scale(
            peaks,
            self.threshold if spiking else 0.0,
            self.weight_bits,
            0.0 if spiking else float(self.max_abs_voltage),
        )
        weights = [
            self._quantize_weights(each, peak, scale)
            for (each, _), peak in zip(folded, peaks, strict=True)
        ]
        driven = zip(self.projection_list, inputs, weights, strict=False)
        activation = _sum_tensors([p.project(values, each) for p, values, each in driven])
        bias = _sum_tensors([bias for _, bias in folded])
        exponent = scales.bias_exponent(float(bias.detach().abs().max()), scale)
        mantissa = scales.quantize_bias(bias, scale, exponent)
        bias = _straight_through(bias * (scale * scales.ALIGN), mantissa * 2.0**exponent)
        bias = bias.view(-1, *([1] * (activation.dim() - 3)))
        threshold = scales.quantize_threshold(self.threshold, scale)
        out = self.activate(activation, bias, threshold, weights)
        return out if spiking else out * (1.0 / (scale * scales.ALIGN))

    def _quantize_weights(self, weights: Tensor, peak: float, scale: float) -> Tensor:
        """Quantize to integers, weight exponent included."""
        exponent = scales.weight_exponent(peak, scale, self.weight_bits)
        mantissa = scales.quantize_weights(weights, scale, exponent, self.weight_bits)
        return _straight_through(weights * scale, mantissa * 2.0**exponent)

    def output_shape(self, *inputs: Tensor) -> Shape:
        """Shape of the population, for inputs like these."""
        first = self.projection_list[0]
        return tuple(first.project(inputs[0], first.weights).shape[2:])

    def to_float(
        self, shape: Shape, source_shapes: dict[str, Shape]
    ) -> tuple[FloatPopulation, list[FloatProjection]]:
        """Export to the converter's float network, batch norm folded.

        `shape` is the layer's own, `source_shapes` those of the populations before it.
        """
        with torch.no_grad():
            biases = [projection.fold_batch_norm()[1] for projection in self.projection_list]
            bias = _sum_tensors(biases).cpu().numpy()
        neuron = self.neuron
        population = FloatPopulation(
            self.name,
            shape,
            np.broadcast_to(bias, shape[:1]),
            self.threshold if neuron.spiking else 0.0,
            neuron.current_decay / scales.DECAY_ONE,
            neuron.voltage_decay / scales.DECAY_ONE,
            neuron.spiking,
            max_abs_voltage=0.0 if neuron.spiking else float(self.max_abs_voltage),
        )
        shapes = {**source_shapes, self.name: shape}
        projections = [
            replace(each, weight_bits=self.weight_bits)
            for projection in self.projection_list
            for each in projection.to_float(self.name, shapes[projection.input_spec.sources[0]])
        ]
        return population, projections


def _sum_tensors(tensors: Sequence[Tensor]) -> Tensor:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


def _straight_through(values: Tensor, rounded: Tensor) -> Tensor:
    """Straight-through estimator: exactly `rounded`, with the gradient of `values`."""
    return rounded.detach() + (values - values.detach())


def set_quantized(modules: Iterable[nn.Module], quantized: bool) -> None:
    """Switch every spiking layer among `modules` to integers or back to floats."""
    for module in modules:
        if isinstance(module, SpikingLayer):
            module.quantized = quantized
