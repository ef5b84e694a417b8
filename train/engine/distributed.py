"""Collective operations of training processes: gathered features, synchronized batch norm.

Each process then computes the loss of the whole batch, and gradients, averaged over processes, are
those of a single process with the whole batch.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from .processes import rank_and_world_size


def is_single_process() -> bool:
    """True where no other process trains along."""
    return rank_and_world_size()[1] == 1


class _AllGather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, axis: int) -> Tensor:
        ctx.axis, ctx.size = axis, own.shape[axis]
        parts = [torch.empty_like(own) for _ in range(rank_and_world_size()[1])]
        distributed.all_gather(parts, own.contiguous())
        return torch.cat(parts, dim=axis)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        total = gradients[0].contiguous()
        distributed.all_reduce(total)
        start = rank_and_world_size()[0] * ctx.size
        return total.narrow(ctx.axis, start, ctx.size), None


def all_gather(own: Tensor, axis: int) -> Tensor:
    """Concatenate the tensors of all processes along `axis`, with gradients.

    All have one shape. A single process gets its own tensor back.
    """
    if is_single_process():
        return own
    result: Tensor = _AllGather.apply(own, axis)  # type: ignore[no-untyped-call]
    return result


class _AllReduce(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        total = own.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone()
        distributed.all_reduce(total)
        return total


def _all_reduce(own: Tensor) -> Tensor:
    total: Tensor = _AllReduce.apply(own)  # type: ignore[no-untyped-call]
    return total


def _sync_statistics(values: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel over the batches of all processes."""
    axes = [axis for axis in range(values.dim()) if axis != 1]
    shape = [-1 if axis == 1 else 1 for axis in range(values.dim())]
    count = values.numel() // values.shape[1] * rank_and_world_size()[1]
    mean = _all_reduce(values.float().sum(dim=axes)) / count
    centered = values.float() - mean.view(shape)
    return mean, _all_reduce(centered.square().sum(dim=axes)) / count


def _sync_batch_norm_forward(norm: _BatchNorm, values: Tensor) -> Tensor:
    """Normalize (samples, channels, ...) by the statistics of all processes' batches."""
    if not norm.training or is_single_process():
        return functional.batch_norm(
            values,
            norm.running_mean,
            norm.running_var,
            norm.weight,
            norm.bias,
            norm.training,
            norm.momentum or 0.0,
            norm.eps,
        )
    original, values = values.dtype, values.float()  # sums of 16 bits would lose digits
    shape = [-1 if axis == 1 else 1 for axis in range(values.dim())]
    count = values.numel() // values.shape[1] * rank_and_world_size()[1]
    mean, variance = _sync_statistics(values)
    if norm.running_mean is not None and norm.running_var is not None:
        momentum = norm.momentum or 0.0
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.add_(1)
        norm.running_mean.lerp_(mean.detach(), momentum)
        norm.running_var.lerp_(variance.detach() * count / (count - 1), momentum)
    normalized: Tensor = (values - mean.view(shape)) * (variance + norm.eps).rsqrt().view(shape)
    if norm.weight is not None:
        normalized = normalized * norm.weight.view(shape) + norm.bias.view(shape)
    return normalized.to(original)


def sync_batch_norm(module: nn.Module) -> None:
    """Let every batch norm of `module` use the statistics of all processes' batches.

    torch's SyncBatchNorm does the same on GPUs only.
    """
    if is_single_process():
        return
    for norm in module.modules():
        if isinstance(norm, _BatchNorm):
            norm.forward = _sync_batch_norm_forward.__get__(norm)  # type: ignore[method-assign]
            norm.statistics = _sync_statistics  # type: ignore[assignment]
