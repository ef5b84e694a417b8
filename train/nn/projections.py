"""Projections in training: the linear operations from populations to the neurons of a layer.

Tensors are (timesteps, batch, *shape).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...convert.quantize.float_network import FloatProjection
from ...convert.quantize.fuse import fuse_linear_ops
from ...convert.quantize.linear_ops import ConvOp, LinearOp, Op, PoolOp
from ...runtime.errors import NetworkError
from . import compact
from .exact_sums import round_sums

INPUT = "input"  # name of the events
Linear = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
Shape = tuple[int, ...]
Pair = tuple[int, int]
Sources = tuple[str, ...]


@dataclass(frozen=True)
class InputSpec:
    """Input of a projection: the sum of its `sources`, sum-pooled over windows of `pool_size`."""

    sources: Sources
    pool_size: Pair = (1, 1)


def gather_input(outputs: dict[InputSpec, Tensor], spec: InputSpec) -> Tensor:
    """Compute the input `spec` from the outputs of populations; integers stay integers.

    Each sum and each pool is computed once and cached in `outputs`.
    """
    if spec not in outputs:
        if spec.pool_size != (1, 1):
            unpooled = gather_input(outputs, InputSpec(spec.sources))
            outputs[spec] = sum_pool(unpooled, spec.pool_size)
        else:
            *before, last = spec.sources
            partial_sum = gather_input(outputs, InputSpec(tuple(before)))
            outputs[spec] = partial_sum + outputs[InputSpec((last,))]
    return outputs[spec]


def sum_pool(values: Tensor, pool_size: Pair) -> Tensor:
    """Sum pooling over non-overlapping windows."""
    pooled = functional.avg_pool2d(values.flatten(0, 1), pool_size, divisor_override=1)
    return pooled.view(*values.shape[:2], *pooled.shape[1:])


def batch_statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel of (samples, channels, ...), biased, as batch norm's."""
    axes = [axis for axis in range(values.dim()) if axis != 1]
    variance, mean = torch.var_mean(values.float(), axes, correction=0)
    return mean, variance


def delay_steps(values: Tensor, delay: int) -> Tensor:
    """Shift values (timesteps, ...) to later timesteps; the first ones are zero."""
    if not delay:
        return values
    kept = values[: max(len(values) - delay, 0)]
    return torch.cat([values.new_zeros(values[: min(delay, len(values))].shape), kept])


def round_down(sums: Tensor, unit: float) -> Tensor:
    """Round multiples of `unit`, a fraction, down to integers; raises as `round_sums`."""
    exact = torch.floor(round_sums(sums.detach() / unit) * unit)
    return sums + (exact - sums.detach())


class Projection(nn.Module):
    """A linear operation on an input, with optional batch norm.

    The divisor of average pooling is part of the weights. An input of several sources becomes one
    projection per source once converted, all with the same weights, since a sum has no population
    of its own. A transposed convolution, of one group, is converted to its list of synapses.

    Args:
        input_spec: The input.
        linear: Convolution, transposed convolution or dense layer; None connects each neuron to the
            one in its place with weight 1.
        norm: Batch norm of the linear operation's output.
        delay: Delay of the converted synapses in timesteps; the caller passes delayed values.
        delays: Delays in timesteps of a convolution across steps, one set of weights for each:
            `linear` then takes as many times the channels or neurons of the input, delay by delay
            (in each group of a convolution).

    Attributes:
        reads_bytes: Whether all values are integers from 0 to 255, as spikes are, so that bytes
            hold them for the backward pass.
    """

    one: Tensor

    def __init__(
        self,
        input_spec: InputSpec,
        linear: Linear | None = None,
        norm: nn.Module | None = None,
        delay: int = 0,
        delays: tuple[int, ...] = (0,),
    ):
        super().__init__()
        self.delay = delay
        self.delays = delays
        self.input_spec = input_spec
        self.linear = linear
        self.norm = norm
        self.reads_bytes = False
        self.register_buffer("one", torch.ones(1), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """Compute the activation in floats, with live batch norm."""
        bias = None if self.linear is None else self.linear.bias
        activation = self.project(values, self.weights, bias)
        if self.norm is None:
            return activation
        normalized: Tensor = self.norm(activation.flatten(0, 1))
        return normalized.view(activation.shape)

    def forward_apart(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Compute in floats what `forward` does, without the constant, and the constant.

        The constant is the bias and the shift of batch norm, one value per output channel: it is
        added to the voltage, as on chips, and does not pass the current.
        """
        sums = self.project(values, self.weights)
        channel = [-1, *[1] * (sums.dim() - 3)]
        if self.norm is None or not self.norm.training:
            gain, constant = self.fold_gain()
            return sums if gain is None else sums * gain.view(channel), constant
        norm: Any = self.norm
        bias = None if self.linear is None else self.linear.bias
        merged = (sums if bias is None else sums + bias.view(channel)).flatten(0, 1)
        norm(merged)  # for its running statistics
        mean, variance = getattr(norm, "statistics", batch_statistics)(merged)
        gain = norm.weight * (variance + norm.eps).rsqrt()
        constant = norm.bias - (mean if bias is None else mean - bias) * gain
        return sums * gain.view(channel).to(sums.dtype), constant

    @property
    def weights(self) -> Tensor:
        """Weights before batch norm, with the divisor of average pooling."""
        if self.linear is None:
            return self.one
        if self.input_spec.pool_size == (1, 1):
            return self.linear.weight
        return self.linear.weight * self.pool_factor

    def project(self, values: Tensor, weights: Tensor, bias: Tensor | None = None) -> Tensor:
        """Apply the linear operation with other `weights` and `bias`."""
        if self.delays != (0,):
            values = self._stack_delays(values)
        return self._multiply(values, weights, bias)

    def _multiply(self, values: Tensor, weights: Tensor, bias: Tensor | None = None) -> Tensor:
        """Apply the linear operation without delays."""
        if self.linear is None:
            return values * weights
        merged = values.flatten(0, 1)
        if isinstance(self.linear, nn.Conv2d):
            conv = self.linear
            geometry: Any = conv.stride, conv.padding, conv.dilation, conv.groups
            conv2d = compact.conv2d if self._keeps_bytes else functional.conv2d
            result = conv2d(merged, weights, bias, *geometry)
        elif isinstance(self.linear, nn.ConvTranspose2d):
            result = self._conv_transpose(merged, weights, bias)
        else:
            dense = compact.linear if self._keeps_bytes else functional.linear
            result = dense(merged.flatten(1), weights, bias)
        return result.view(*values.shape[:2], *result.shape[1:])

    @property
    def divides(self) -> bool:
        """True where the exponent of the weights may be negative.

        Not where several populations become one sum, each of which would be rounded, nor for spikes
        of the step before, nor for a list of synapses.
        """
        transposed = isinstance(self.linear, nn.ConvTranspose2d)
        return len(self.input_spec.sources) == 1 and not self.delay and not transposed

    @property
    def pool_area(self) -> int:
        """Number of values that pooling adds up."""
        height, width = self.input_spec.pool_size
        return height * width

    @property
    def _keeps_bytes(self) -> bool:
        return self.reads_bytes and torch.is_grad_enabled() and not torch.compiler.is_compiling()

    def project_integers(self, values: Tensor, weights: Tensor, exponents: Sequence[int]) -> Tensor:
        """Apply the linear operation with quantized `weights`, whose exponents are included.

        A sum of a negative exponent, of each delay one, is rounded down as on the chip; gradients
        pass the rounding straight through.
        """
        if min(exponents) >= 0:
            return self.project(values, weights)
        several = self.delays != (0,)
        total = None
        for delay, part, exponent in zip(
            self.delays, self.split_delays(weights), exponents, strict=True
        ):
            delayed = delay_steps(values, delay) if several else values
            sums = self._multiply(delayed, part)
            rounded = sums if exponent >= 0 else round_down(sums, 2.0**exponent)
            total = rounded if total is None else total + rounded
        assert total is not None
        return total

    def _stack_delays(self, values: Tensor) -> Tensor:
        """Values at each delay, one after the other as channels, in each group of a convolution."""
        if isinstance(self.linear, nn.Linear):
            values = values.flatten(2)
        groups = self.linear.groups if isinstance(self.linear, nn.Conv2d) else 1
        grouped = values.view(*values.shape[:2], groups, -1, *values.shape[3:])
        delayed = [delay_steps(grouped, delay) for delay in self.delays]
        return torch.cat(delayed, dim=3).flatten(2, 3)

    def split_delays(self, weights: Tensor) -> list[Tensor]:
        """Weights of each delay, views."""
        return list(weights.chunk(len(self.delays), dim=1)) if self.delays != (0,) else [weights]

    def _conv_transpose(
        self, values: Tensor, weights: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        conv = self.linear
        assert isinstance(conv, nn.ConvTranspose2d) and isinstance(conv.padding, tuple)
        geometry = conv.stride, conv.padding, conv.output_padding, conv.groups, conv.dilation
        return functional.conv_transpose2d(values, weights, bias, *geometry)

    def fold_batch_norm(self) -> tuple[Tensor, Tensor]:
        """Fold batch norm's running statistics into weights and bias, float32.

        w' = w g / sqrt(var + eps), b' = beta + (b - mean) g / sqrt(var + eps)
        """
        weights = self.weights
        gain, bias = self.fold_gain()
        if gain is not None:
            axis = self._output_axis
            weights = weights * gain.view(-1, *([1] * (weights.dim() - 1 - axis)))
        return weights, bias

    @property
    def _output_axis(self) -> int:
        return 1 if isinstance(self.linear, nn.ConvTranspose2d) else 0

    @property
    def rows(self) -> Tensor | None:
        """Weights whose rows are the output channels, before pooling's divisor; None if none."""
        linear = self.linear
        return linear.weight if isinstance(linear, nn.Conv2d | nn.Linear) else None

    @property
    def pool_factor(self) -> float:
        """Divisor of average pooling, as a factor."""
        return 1 / self.pool_area

    def max_input(self, event_peak: int) -> int:
        """Largest input value, where that of the events is `event_peak` and a spike is 1."""
        return self.pool_area * self.max_value(event_peak)

    def max_value(self, event_peak: int) -> int:
        """Largest sum of the sources' values, before pooling."""
        return sum(event_peak if source == INPUT else 1 for source in self.input_spec.sources)

    def fold_gain(self) -> tuple[Tensor | None, Tensor]:
        """Batch norm's gain of each output channel, None without, and the folded bias."""
        axis = self._output_axis
        linear, norm = self.linear, self.norm
        weight = self.one if linear is None else linear.weight
        bias = weight.new_zeros(weight.shape[axis])
        if linear is not None and linear.bias is not None:
            bias = linear.bias
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            assert norm.running_var is not None and norm.running_mean is not None
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            return gain, norm.bias + (bias - norm.running_mean) * gain
        return None, bias

    def to_float(self, target: str, source_shape: Shape) -> list[FloatProjection]:
        """Export a float projection to `target` per source and delay; sources have one shape."""
        folded = self.fold_batch_norm()[0].detach().cpu()
        sources, several = self.input_spec.sources, len(self.delays) > 1
        return [
            replace(fused, name=name, source=source, divides=self.divides)
            for delay, weights in zip(self.delays, self.split_delays(folded), strict=True)
            for fused in [self._fuse(target, source_shape, weights, self.delay + delay)]
            for source in sources
            for name in [f"{source}-{target}" + (f".delay{delay}" if several else "")]
        ]

    def _fuse(
        self, target: str, source_shape: Shape, folded: Tensor, delay: int
    ) -> FloatProjection:
        """Float projection with the weights `folded` from the first source."""
        pool_size = self.input_spec.pool_size
        weights = folded.double().numpy()
        pools = pool_size != (1, 1) or (self.linear is None and len(source_shape) == 3)
        ops: list[tuple[str, Op]] = [(target, PoolOp(pool_size, pool_size))] if pools else []
        if isinstance(self.linear, nn.Conv2d):
            conv = self.linear
            geometry = _as_pair(conv.stride), _as_pair(conv.padding), _as_pair(conv.dilation)
            ops.append((target, ConvOp(weights, np.zeros(len(weights)), *geometry, conv.groups)))
        elif isinstance(self.linear, nn.ConvTranspose2d):
            basis = torch.eye(int(np.prod(source_shape))).view(-1, *source_shape)
            matrix = self._conv_transpose(basis, folded).flatten(1).T.double().numpy()
            ops.append((target, LinearOp(matrix, np.zeros(len(matrix)))))
        elif self.linear is not None:
            ops.append((target, LinearOp(weights, np.zeros(len(weights)))))
        source = self.input_spec.sources[0]
        fused = fuse_linear_ops(ops, source_shape)
        return fused.to_projection(f"{source}-{target}", source, target, delay)


def _as_pair(values: object) -> Pair:
    if not isinstance(values, tuple):
        raise NetworkError(f"a padding of {values!r} is not supported; give it as numbers")
    return int(values[0]), int(values[1])
