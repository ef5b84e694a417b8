"""Convolutions and matrix products of spikes, which are kept as bytes for the backward pass.

Sums of spikes up to 255 take one byte each instead of the four of float32, and lose nothing:
outputs and gradients are those of torch's functions, bit for bit.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from .exact_sums import no_autocast

MAX_BYTE = 255


def conv2d(values: Tensor, weights: Tensor, bias: Tensor | None, *geometry: Any) -> Tensor:
    """`functional.conv2d` of `values`, integers from 0 to 255.

    `geometry` is stride, padding, dilation and groups, the first three as pairs.
    """
    operands = _autocast(values, weights, bias)
    with no_autocast(values.device):
        result: Tensor = _Conv2d.apply(  # type: ignore[no-untyped-call]
            *operands, *geometry
        )
    return result


def linear(values: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
    """`functional.linear` of `values` (samples, inputs), integers from 0 to 255."""
    operands = _autocast(values, weights, bias)
    with no_autocast(values.device):
        result: Tensor = _Linear.apply(  # type: ignore[no-untyped-call]
            *operands
        )
    return result


class _Conv2d(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        weights: Tensor,
        bias: Tensor | None,
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        groups: int,
    ) -> Tensor:
        ctx.save_for_backward(values.to(torch.uint8), weights)
        ctx.geometry = stride, padding, dilation, False, (0, 0), groups
        ctx.bias_size = None if bias is None else list(bias.shape)
        return functional.conv2d(values, weights, bias, stride, padding, dilation, groups)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        small, weights = ctx.saved_tensors
        gradients = torch.ops.aten.convolution_backward(
            gradient,
            small.to(weights.dtype),
            weights,
            ctx.bias_size,
            *ctx.geometry,
            ctx.needs_input_grad[:3],
        )
        return *gradients, None, None, None, None


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weights: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(values.to(torch.uint8), weights)
        return functional.linear(values, weights, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        small, weights = ctx.saved_tensors
        of_values, of_weights, of_bias = ctx.needs_input_grad
        return (
            gradient.mm(weights) if of_values else None,
            gradient.t().mm(small.to(weights.dtype)) if of_weights else None,
            gradient.sum(dim=0) if of_bias else None,
        )


def _autocast(*tensors: Tensor | None) -> list[Tensor | None]:
    """Cast to the type of autocast, where it is active, as it does for torch's functions."""
    device = next(each for each in tensors if each is not None).device.type
    if not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
        return list(tensors)
    dtype = torch.get_autocast_dtype(device)
    return [None if each is None else each.to(dtype) for each in tensors]
