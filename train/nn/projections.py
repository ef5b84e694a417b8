"""Projections in training: what leads from populations to the neurons of a layer, all of it linear.

Tensors are (timesteps, batch, *shape).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ...convert.quantize.float_network import FloatProjection
from ...convert.quantize.fuse import fuse_linear_ops
from ...convert.quantize.linear_ops import (
    ConvOp,
    LinearOp,
    Op,
    PoolOp,
)
from ...runtime.errors import NetworkError

Linear = nn.Conv2d | nn.ConvTranspose2d | nn.Linear
Shape = tuple[int, ...]
Pair = tuple[int, int]
Sources = tuple[str, ...]


@dataclass(frozen=True)
class InputSpec:
    """What a projection reads: its `sources` added up, then summed over windows side by side."""

    sources: Sources
    pool_size: Pair = (1, 1)


def gather_input(known: dict[InputSpec, Tensor], reads: InputSpec) -> Tensor:
    """Return what `reads` names, from the populations in `known`; each sum is made once, and kept.

    Whole numbers stay whole.
    """
    if reads not in known:
        if reads.pool_size != (1, 1):
            known[reads] = sum_pool(gather_input(known, InputSpec(reads.sources)), reads.pool_size)
        else:
            *before, last = reads.sources
            known[reads] = gather_input(known, InputSpec(tuple(before))) + known[InputSpec((last,))]
    return known[reads]


def sum_pool(values: Tensor, window: Pair) -> Tensor:
    """Return the sums over windows that lie side by side."""
    pooled = functional.avg_pool2d(values.flatten(0, 1), window, divisor_override=1)
    return pooled.view(*values.shape[:2], *pooled.shape[1:])


class Projection(nn.Module):
    """What `reads` names, through `linear` and, where asked for, batch norm.

    The divisor of an average over windows is part of the weights. Without `linear`, each neuron
    goes to the one in its place, with weight 1. `reads` of several sources lower to a projection
    each, with the same weights: a sum has no population of its own. `delay` is what they lower to:
    who calls hands over what was sent so many steps before. A transposed convolution, of one group,
    lowers to the synapses it has.
    """

    one: Tensor

    def __init__(
        self,
        input_spec: InputSpec,
        linear: Linear | None = None,
        norm: nn.Module | None = None,
        delay: int = 0,
    ):
        super().__init__()
        self.delay = delay
        self.input_spec = input_spec
        self.linear = linear
        self.norm = norm
        self.register_buffer("one", torch.ones(1), persistent=False)

    def forward(self, values: Tensor) -> Tensor:
        """Return what arrives, in real numbers and with live batch norm."""
        bias = None if self.linear is None else self.linear.bias
        activation = self.project(values, self.weights, bias)
        if self.norm is None:
            return activation
        normed: Tensor = self.norm(activation.flatten(0, 1))
        return normed.view(activation.shape)

    @property
    def weights(self) -> Tensor:
        """The weights before batch norm, with the divisor of an average."""
        if self.linear is None:
            return self.one
        height, width = self.input_spec.pool_size
        return self.linear.weight * (1 / (height * width))

    def project(self, values: Tensor, weights: Tensor, bias: Tensor | None = None) -> Tensor:
        """Return the linear map with other `weights` and `bias`, (timesteps, batch, *shape)."""
        if self.linear is None:
            return values * weights
        merged = values.flatten(0, 1)
        if isinstance(self.linear, nn.Conv2d):
            conv = self.linear
            result = functional.conv2d(
                merged, weights, bias, conv.stride, conv.padding, conv.dilation, conv.groups
            )
        elif isinstance(self.linear, nn.ConvTranspose2d):
            result = self._conv_transpose(merged, weights, bias)
        else:
            result = functional.linear(merged.flatten(1), weights, bias)
        return result.view(*values.shape[:2], *result.shape[1:])

    def _conv_transpose(
        self, values: Tensor, weights: Tensor, bias: Tensor | None = None
    ) -> Tensor:
        conv = self.linear
        assert isinstance(conv, nn.ConvTranspose2d) and isinstance(conv.padding, tuple)
        further = conv.output_padding, conv.groups, conv.dilation
        return functional.conv_transpose2d(
            values, weights, bias, conv.stride, conv.padding, *further
        )

    def fold_batch_norm(self) -> tuple[Tensor, Tensor]:
        """Return weights and bias with batch norm's running statistics folded in, float32.

        w' = w g / sqrt(var + eps), b' = beta + (b - mean) g / sqrt(var + eps)
        """
        weights = self.weights
        outputs = 1 if isinstance(self.linear, nn.ConvTranspose2d) else 0  # the axis they lie on
        bias = weights.new_zeros(weights.shape[outputs])
        if self.linear is not None and self.linear.bias is not None:
            bias = self.linear.bias
        norm = self.norm
        if isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d):
            assert norm.running_var is not None and norm.running_mean is not None
            gain = norm.weight / (norm.running_var + norm.eps).sqrt()
            bias = norm.bias + (bias - norm.running_mean) * gain
            weights = weights * gain.view(-1, *([1] * (weights.dim() - 1 - outputs)))
        return weights, bias

    def to_float(self, target: str, shape: Shape) -> list[FloatProjection]:
        """Return a projection to `target` from each source, all of `shape`, in real numbers."""
        window = self.input_spec.pool_size
        folded = self.fold_batch_norm()[0].detach().cpu()
        weights = folded.double().numpy()
        pooled = window != (1, 1) or (self.linear is None and len(shape) == 3)
        steps: list[tuple[str, Op]] = [(target, PoolOp(window, window))] if pooled else []
        if isinstance(self.linear, nn.Conv2d):
            conv = self.linear
            geometry = _as_pair(conv.stride), _as_pair(conv.padding), _as_pair(conv.dilation)
            none = np.zeros(len(weights))
            steps.append((target, ConvOp(weights, none, *geometry, conv.groups)))
        elif isinstance(self.linear, nn.ConvTranspose2d):
            each = torch.eye(int(np.prod(shape))).view(-1, *shape)
            matrix = self._conv_transpose(each, folded).flatten(1).T.double().numpy()
            steps.append((target, LinearOp(matrix, np.zeros(len(matrix)))))
        elif self.linear is not None:
            steps.append((target, LinearOp(weights, np.zeros(len(weights)))))
        sources = self.input_spec.sources
        step = fuse_linear_ops(steps, shape)
        first = step.to_projection(f"{sources[0]}-{target}", sources[0], target, self.delay)
        return [replace(first, name=f"{name}-{target}", source=name) for name in sources]


def _as_pair(values: object) -> Pair:
    if not isinstance(values, tuple):
        raise NetworkError(f"a padding of {values!r} is not supported; give it as numbers")
    return int(values[0]), int(values[1])
