"""Spiking layers: neurons and the projections that drive them, in floats or in integers.

Tensors are (timesteps, batch, *shape). A layer computes in floats with live batch norm until it is
`quantized`. Then batch norm's running statistics are frozen and folded, and the forward pass equals
the converted network's, integer for integer; gradients pass the rounding straight through.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...convert.quantize import scales
from ...convert.quantize.float_network import FloatPopulation, FloatProjection
from .alif import alif
from .exact_sums import EXACT_LIMIT, check_bound, exact_arithmetic
from .layer_quantization import QuantizationSettings, QuantizedLayer, quantize_layer
from .learned import LearnedParameters, learned_lif
from .neuron import NeuronConfig, lif, run_forward
from .projections import InputSpec, Linear, Projection, Shape
from .quantized_graph import fits_graph, quantize_in_graph, round_down_in_graph


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
        learn: Parameters of the neurons that are learned, see `learned`.
        dropout: Fraction of the neurons silenced in training in floats: drawn for each sample, the
            same at all steps; the outputs of the others are scaled up.

    Attributes:
        max_abs_voltage: Largest absolute voltage of an integrator in training, which its integers
            must hold.
        quantized: Whether the forward pass is in integers.
        event_peak: Largest value of the events, of a layer that reads them.
    """

    max_abs_voltage: Tensor

    def __init__(
        self,
        name: str,
        projections: Sequence[Projection],
        neuron: NeuronConfig,
        threshold: float = 1.0,
        weight_bits: int = scales.WEIGHT_BITS,
        learn: Sequence[str] = (),
        dropout: float = 0.0,
    ):
        super().__init__()
        self.name = name
        self.projections = nn.ModuleList(projections)
        self.initial_neuron, self.initial_threshold = neuron, threshold
        self.learned = LearnedParameters(learn, neuron, threshold) if learn else None
        self.weight_bits = weight_bits
        self.dropout = dropout
        self.quantized = False
        self.event_peak = 1
        if not neuron.spiking:
            self.register_buffer("max_abs_voltage", torch.zeros(()))

    @property
    def neuron(self) -> NeuronConfig:
        """The neuron model, with learned decays where they are learned."""
        return self.learned.configure(self.initial_neuron) if self.learned else self.initial_neuron

    @neuron.setter
    def neuron(self, neuron: NeuronConfig) -> None:
        self.initial_neuron = neuron

    @property
    def threshold(self) -> float:
        """The threshold, learned or not."""
        if self.learned is None:
            return self.initial_threshold
        return self.learned.threshold(self.initial_threshold)

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
        activation, bias = self._sum_projections(inputs)
        out = self.activate(activation, bias, self.threshold, None)
        if self.training and not self.initial_neuron.spiking:
            torch.maximum(self.max_abs_voltage, out.detach().abs().max(), out=self.max_abs_voltage)
        if self.training and self.dropout:
            return out * functional.dropout(torch.ones_like(out[:1]), self.dropout)
        return out

    def _sum_projections(self, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Activation in floats, and what is added to the voltage beside it.

        Without a current to pass, the constants of the projections can stay in the activation.
        """
        pairs = zip(self.projection_list, inputs, strict=False)  # a recurrent one has no input here
        if self.neuron.current_decay == scales.DECAY_ONE:
            activation = _sum_tensors([projection(values) for projection, values in pairs])
            return activation, activation.new_zeros(())
        apart = [projection.forward_apart(values) for projection, values in pairs]
        activation = _sum_tensors([each for each, _ in apart])
        bias = _sum_tensors([constant for _, constant in apart])
        return activation, bias.view(-1, *[1] * (activation.dim() - 3)).to(activation.dtype)

    def activate(
        self,
        activation: Tensor,
        bias: Tensor,
        threshold: float,
        weights: list[Tensor] | None,
        scale: float = 1.0,
    ) -> Tensor:
        """Run the neurons on `activation`.

        In integers where quantized `weights` are given; `threshold` then is in weight units, of
        which a float unit has `scale`.
        """
        neuron, integers = self.neuron, weights is not None
        if neuron.adaptive:
            step = self._threshold_step(weights, scale)
            return alif(activation, bias, threshold, step, neuron, integers)
        if self.learned is None:
            return lif(activation, bias, threshold, neuron, integers)
        tensors = self.learned.tensors(neuron, threshold, scale)
        unit = float(scales.ALIGN) if integers else 1.0
        return learned_lif(activation, bias, tensors, neuron, unit)

    def _threshold_step(self, weights: list[Tensor] | None, scale: float) -> float:
        """Raise of an adaptive threshold by a spike, in weight units where quantized."""
        step = self.neuron.threshold_rise(self.threshold)
        return step if weights is None else float(scales.quantize_threshold(step, scale))

    def _forward_quantized(self, inputs: Sequence[Tensor]) -> Tensor:
        if torch.compiler.is_compiling() and self._fits_graph:
            return self._forward_in_graph(inputs)
        with exact_arithmetic(self.projection_list[0].weights.device):
            quantized = quantize_layer(self.projection_list, self._quantization)
            self._check_bound(quantized)
            weights, exponents = quantized.weights, quantized.exponents
            used = zip(self.projection_list, inputs, weights, exponents, strict=False)
            activation = _sum_tensors([p.project_integers(v, w, e) for p, v, w, e in used])
            bias = quantized.bias.view(-1, *([1] * (activation.dim() - 3)))
            out = self.activate(activation, bias, quantized.threshold, weights, quantized.scale)
        unit = 1.0 / (quantized.scale * scales.ALIGN)
        return out if self.initial_neuron.spiking else out * unit

    @property
    def _fits_graph(self) -> bool:
        """True where the quantized pass has a form without a break of torch.compile's graph."""
        has_steps = type(self).activate is not SpikingLayer.activate
        plain = self.learned is None and not self.initial_neuron.adaptive
        return not has_steps and plain and fits_graph(self.projection_list)

    def _forward_in_graph(self, inputs: Sequence[Tensor]) -> Tensor:
        spiking, neuron = self.initial_neuron.spiking, self.neuron
        settings = QuantizationSettings(self.weight_bits, self.threshold if spiking else 0.0, 0.0)
        first = self.projection_list[0]
        highest = first.one.new_zeros(()) if spiking else self.max_abs_voltage
        with exact_arithmetic(first.one.device):
            weights, units, bias, threshold, scale = quantize_in_graph(
                self.name, self.projection_list, settings, highest, self.event_peak
            )
            used = zip(self.projection_list, inputs, weights, units, strict=True)
            activation = _sum_tensors(
                [
                    round_down_in_graph(p.project(values, each), unit.detach())
                    for p, values, each, unit in used
                ]
            )
            bias = bias.view(-1, *([1] * (activation.dim() - 3)))
            level = (threshold * scales.ALIGN).clamp(min=1e-30) if spiking else threshold + 1
            out = run_forward(activation, bias, level, neuron, True)[0]
        return out if spiking else out * (1.0 / (scale * scales.ALIGN)).to(out)

    @property
    def _quantization(self) -> QuantizationSettings:
        bits, peak = self.weight_bits, self.event_peak
        if self.initial_neuron.spiking:
            return QuantizationSettings(bits, self.threshold, 0.0, peak)
        return QuantizationSettings(bits, 0.0, float(self.max_abs_voltage), peak)

    def _check_bound(self, quantized: QuantizedLayer) -> None:
        """Raise `NetworkError` where sums may leave the integers that float32 holds."""
        bound = 0.0
        for projection, exponents in zip(self.projection_list, quantized.exponents, strict=True):
            weights = projection.linear.weight if projection.linear is not None else projection.one
            inputs = weights[0].numel()
            if isinstance(projection.linear, nn.ConvTranspose2d):
                inputs = weights[:, 0].numel()
            peak = scales.max_weight(self.weight_bits) * 2.0 ** max(exponents)
            bound += inputs * peak * projection.max_input(self.event_peak)
        if bound > EXACT_LIMIT:
            check_bound(self.name, self._sum_abs_products(quantized.weights))

    def _sum_abs_products(self, weights: Sequence[Tensor]) -> float:
        """Largest sum of absolute products of a neuron."""
        total = 0.0
        for projection, each in zip(self.projection_list, weights, strict=True):
            axis = 1 if isinstance(projection.linear, nn.ConvTranspose2d) else 0
            sums = each.detach().abs().double().transpose(0, axis).flatten(1).sum(dim=1)
            total += float(sums.max()) * projection.max_input(self.event_peak)
        return total

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
            reset=neuron.reset,
            reset_value=self.threshold if neuron.soft else 0.0,
            threshold_step=neuron.threshold_rise(self.threshold),
            threshold_decay=neuron.threshold_decay / scales.DECAY_ONE,
            refractory_decay=neuron.refractory_decay / scales.DECAY_ONE,
        )
        shapes = {**source_shapes, self.name: shape}
        projections = [
            replace(each, weight_bits=self.weight_bits)
            for projection in self.projection_list
            for each in projection.to_float(self.name, shapes[projection.input_spec.sources[0]])
        ]
        return population, _with_unique_names(projections)


def _with_unique_names(projections: list[FloatProjection]) -> list[FloatProjection]:
    """Number the projections from one source, such as a convolution and its shortcut."""
    seen: Counter[str] = Counter()
    unique = []
    for each in projections:
        seen[each.name] += 1
        count = seen[each.name]
        unique.append(each if count == 1 else replace(each, name=f"{each.name}.{count}"))
    return unique


def _sum_tensors(tensors: Sequence[Tensor]) -> Tensor:
    total = tensors[0]
    for tensor in tensors[1:]:
        total = total + tensor
    return total


def set_quantized(modules: Iterable[nn.Module], quantized: bool) -> None:
    """Switch every spiking layer among `modules` to integers or back to floats."""
    for module in modules:
        if isinstance(module, SpikingLayer):
            module.quantized = quantized
