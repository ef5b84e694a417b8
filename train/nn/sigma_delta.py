"""Sigma-delta layers: they add up signed changes and send how much their activation has changed.

Per neuron and timestep, as `pumice.runtime.arithmetic` has it in integers:

    sigma = sigma + W message,  act = max(sigma + b, 0)
    message = act - sent, and sent = act, where |act - sent| >= threshold; else none

Between layers, tensors (timesteps, batch, *shape) hold the running sum of the messages, so that
`sigma` is W times it and no layer has a recurrence. Quantized, sums are those of the integers,
modulo 2^24, in float64, which holds them exactly.

Gradients pass the encoder straight through: what is not sent, e = act - sum of messages, counts as
noise. Its size follows the threshold, so that of a learned threshold is de/dthreshold = e /
threshold (as of the step size in Esser et al., "Learned step size quantization", ICLR 2020).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ...convert.quantize import scales
from ...convert.quantize.float_network import FloatPopulation, FloatProjection
from ...convert.quantize.quantize_messages import encoder_scale
from ...runtime.arithmetic import DELTA_BITS, STATE_HALF
from ...runtime.errors import NetworkError
from .exact_sums import exact_arithmetic, round_sums
from .layer_quantization import FoldedWeights
from .layers import SpikingLayer
from .neuron import NeuronConfig
from .projections import INPUT, InputSpec, Projection, Shape

ENCODER = "delta"  # name of the encoder of the input
SUM = NeuronConfig(current_decay=scales.DECAY_ONE, voltage_decay=0, spiking=False)
UNIT = float(1 << DELTA_BITS)  # of a sum or activation, per 1/64 of 1


class MessageLayer(SpikingLayer):
    """Layer of a sigma-delta network: neurons that add up the messages of other layers.

    Arguments are those of `SpikingLayer`; the threshold is the change that is sent.

    Attributes:
        scale: Units of 1/64 of 1 per float unit in the last quantized forward pass.
        activity: Mean change per neuron and timestep of the last forward pass in training, in
            thresholds, with gradients; about the number of messages.

    Raises:
        NetworkError: A projection reads the sum of several populations.
    """

    def __init__(
        self,
        name: str,
        projections: Sequence[Projection],
        threshold: float = 0.0,
        weight_bits: int = scales.WEIGHT_BITS,
        learn: Sequence[str] = (),
        dropout: float = 0.0,
    ):
        super().__init__(name, projections, SUM, threshold, weight_bits, learn, dropout)
        self.scale = 1.0
        self.activity: Tensor | None = None
        self._layers: Mapping[str, MessageLayer] = {}
        for projection in self.projection_list:
            sources = projection.input_spec.sources
            if len(sources) > 1:
                raise NetworkError(
                    f"{name}: reads the sum of {', '.join(sources)}, whose messages have scales of "
                    "their own; read one, and give the others as shortcuts"
                )

    def connect(self, layers: Mapping[str, "MessageLayer"]) -> None:
        """Set the layers of the network by name, whose scales this one needs."""
        self._layers = dict(layers)

    @property
    def sums(self) -> scales.MessageSums:
        """Quantities that decide the scale of the quantized layer."""
        peaks, sources = [], []
        for projection in self.projection_list:
            found = FoldedWeights(projection).peaks
            peaks += found
            sources += list(projection.input_spec.sources) * len(found)
        highest = float(self.max_abs_voltage)
        return scales.MessageSums(peaks, sources, self.threshold, self.weight_bits, highest)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute the sum of messages from that of each projection's source."""
        if self.quantized:
            with exact_arithmetic(self.projection_list[0].weights.device):
                return self._forward_integers(inputs)
        pairs = zip(self.projection_list, inputs, strict=True)
        total = sum_tensors(projection(values) for projection, values in pairs)
        self._observe(total, 1.0)
        return self._output(total, 1.0)

    def _forward_integers(self, inputs: Sequence[Tensor]) -> Tensor:
        folded = [FoldedWeights(projection) for projection in self.projection_list]
        sources = [self._layers[spec.sources[0]].scale for spec in self.inputs]
        total: Tensor | None = None
        for projection, each, values, source in zip(
            self.projection_list, folded, inputs, sources, strict=True
        ):
            unit, bits = scales.ALIGN * self.scale / source, self.weight_bits
            exponents = [scales.weight_exponent(peak, unit, bits) for peak in each.peaks]
            weights = each.quantize(unit, bits, exponents)
            added = projection.project(values.double(), weights.double())
            total = added if total is None else total + added
        assert total is not None
        exact = wrap_sums(round_sums(total.detach()))
        total = total + (exact - total.detach())
        bias = sum_tensors(each.bias for each in folded)
        return self._output(total, self.scale, self._quantize_bias(bias, total))

    def _quantize_bias(self, bias: Tensor, like: Tensor) -> Tensor:
        exponent = scales.bias_exponent(scales.max_abs(bias.detach()), self.scale)
        mantissa = scales.quantize_bias(bias, self.scale, exponent)
        smooth = bias * (self.scale * scales.ALIGN)
        rounded: Tensor = (mantissa * 2.0**exponent).detach() + (smooth - smooth.detach())
        return rounded.double().view(-1, *[1] * (like.dim() - 3)) * scales.ALIGN

    def _output(self, total: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
        raise NotImplementedError

    def _observe(self, values: Tensor, unit: float) -> None:
        """Keep the largest absolute sum in training, of `values` with `unit` per float unit."""
        if self.training:
            peak = (values.detach().abs().max() / unit).to(self.max_abs_voltage.dtype)
            torch.maximum(self.max_abs_voltage, peak, out=self.max_abs_voltage)

    def _threshold_tensor(self, value: float, unit: float) -> Tensor:
        """The threshold `value`, with a gradient if it is learned."""
        if self.learned is None:
            return torch.tensor(value)
        return self.learned.tensors(self.neuron, value, unit).threshold

    def _encode(self, activation: Tensor, scale: float) -> Tensor:
        """Sum of the messages of an activation, which has `scale` x 4096 units if quantized."""
        if self.quantized:
            threshold = scales.quantize_threshold(self.threshold, scale) * UNIT
            level = self._threshold_tensor(threshold, scale * UNIT)
        else:
            level = self._threshold_tensor(self.threshold, 1.0)
        apply: Any = _Encode.apply
        levels: Tensor = apply(activation, level, self.quantized)
        if self.training:
            changes = torch.diff(levels, dim=0, prepend=torch.zeros_like(levels[:1])).abs()
            of_one = level / scales.ALIGN if self.quantized else level
            self.activity = (changes / of_one.clamp(min=1e-6)).mean()
        return levels

    def to_float(
        self, shape: Shape, source_shapes: dict[str, Shape]
    ) -> tuple[FloatPopulation, list[FloatProjection]]:
        """Export to the converter's float network; arguments are those of `SpikingLayer`."""
        population, projections = super().to_float(shape, source_shapes)
        return replace(population, threshold=self.threshold), projections


class SigmaDeltaLayer(MessageLayer):
    """Sigma-delta neurons, with a rectified activation."""

    def _output(self, total: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
        if bias is not None:
            total = total + bias
            self._observe(total, scale * UNIT)
        levels = self._encode(total.relu(), scale)
        if self.training and self.dropout and not self.quantized:
            return levels * functional.dropout(torch.ones_like(levels[:1]), self.dropout)
        return levels

    def to_float(
        self, shape: Shape, source_shapes: dict[str, Shape]
    ) -> tuple[FloatPopulation, list[FloatProjection]]:
        """Export to the converter's float network."""
        population, projections = super().to_float(shape, source_shapes)
        return replace(population, messages="sigma_delta"), projections


class DeltaLayer(MessageLayer):
    """Encoder of the input: sends the changes of each value that reach the threshold."""

    def __init__(self, threshold: float = 0.0):
        super().__init__(ENCODER, [Projection(InputSpec((INPUT,)))], threshold)
        self.scale = encoder_scale(threshold)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Compute the sum of messages from the values of the input."""
        (values,) = inputs
        if self.scale < 1:
            values = torch.floor(values * self.scale) / self.scale
        if not self.quantized:
            return self._encode(values, 1.0)
        self._set_scales()
        return self._encode(values.double() * (self.scale * UNIT), self.scale)

    def _set_scales(self) -> None:
        """Set the scales of all layers of the network, which follow in this forward pass."""
        sums = {name: each.sums for name, each in self._layers.items() if each is not self}
        with torch.no_grad():
            found = scales.message_scales(sums, {self.name: self.scale})
        for name, layer in self._layers.items():
            layer.scale = found[name]

    def to_float(
        self, shape: Shape, source_shapes: dict[str, Shape]
    ) -> tuple[FloatPopulation, list[FloatProjection]]:
        """Export to the converter's float network."""
        population, projections = super().to_float(shape, source_shapes)
        return replace(population, messages="delta"), projections


class SigmaReadout(MessageLayer):
    """Read-out: the sums of the messages, one for each class, in float units."""

    def _output(self, total: Tensor, scale: float, bias: Tensor | None = None) -> Tensor:
        if bias is None:
            return total
        steps = torch.diff(total.detach(), dim=0, prepend=torch.zeros_like(total[:1]))
        voltage, voltages = torch.zeros_like(steps[0]), []
        for change in steps:
            added = wrap_sums(change)
            added = torch.where(added <= -STATE_HALF, added + 2 * STATE_HALF, added)
            voltage = (voltage + added).clamp(1 - STATE_HALF, STATE_HALF - 1)
            voltages.append(voltage)
        exact = torch.stack(voltages)
        self._observe(exact, scale * UNIT)
        out: Tensor = (total + (exact - total.detach())) / (scale * UNIT)
        return out.float()

    def to_float(
        self, shape: Shape, source_shapes: dict[str, Shape]
    ) -> tuple[FloatPopulation, list[FloatProjection]]:
        """Export to the converter's float network."""
        population, projections = super().to_float(shape, source_shapes)
        return replace(population, messages="sigma"), projections


class _Encode(torch.autograd.Function):
    """Sums of the messages that encode an activation, in floats or in integers."""

    @staticmethod
    def forward(ctx: Any, activation: Tensor, threshold: Tensor, integers: bool) -> Tensor:
        level = float(threshold.detach())
        sent, total, levels = torch.zeros_like(activation[0]), torch.zeros_like(activation[0]), []
        for now in activation:
            delta = now - sent
            changed = delta.abs() >= level
            message = torch.floor(delta / scales.ALIGN) if integers else delta
            sent = torch.where(changed, now, sent)
            total = torch.where(changed, total + message, total) if integers else sent
            levels.append(total)
        result = torch.stack(levels)
        ctx.unit = 1.0 / scales.ALIGN if integers else 1.0
        ctx.save_for_backward(activation, result, threshold)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        activation, levels, threshold = ctx.saved_tensors
        of_threshold = None
        if ctx.needs_input_grad[1]:
            unsent = levels - activation * ctx.unit
            of_threshold = (gradient * unsent).sum() / threshold.clamp(min=1e-6)
        return gradient * ctx.unit, of_threshold, None


def wrap_sums(sums: Tensor) -> Tensor:
    """Take integers modulo 2^24, in [-2^23, 2^23)."""
    return torch.remainder(sums + STATE_HALF, 2 * STATE_HALF) - STATE_HALF


def sum_tensors(tensors: Iterable[Tensor]) -> Tensor:
    """Sum of one or more tensors."""
    first, *others = tensors
    for each in others:
        first = first + each
    return first


def add_encoder(layers: Sequence[SpikingLayer], threshold: float) -> list[SpikingLayer]:
    """Add the delta encoder that all layers read instead of the input; returns all layers.

    Raises:
        NetworkError: A layer has the encoder's name.
    """
    for layer in layers:
        if layer.name == ENCODER:
            raise NetworkError(f"{ENCODER}: is the name of the input's encoder; name it otherwise")
        for projection in layer.projection_list:
            spec = projection.input_spec
            if INPUT in spec.sources:
                projection.input_spec = replace(spec, sources=(ENCODER,))
    return [DeltaLayer(threshold), *layers]


def connect_layers(layers: Iterable[Any]) -> None:
    """Let the layers of a sigma-delta network know one another, since their scales depend."""
    by_name = {layer.name: layer for layer in layers if isinstance(layer, MessageLayer)}
    for layer in by_name.values():
        layer.connect(by_name)
