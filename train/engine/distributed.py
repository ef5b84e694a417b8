"""What several training processes share: features, and the statistics of batch norm.

Each process then computes the loss of the whole batch, and gradients, averaged over processes, are
those of one process that has it all.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from .trainer import rank_and_world_size


def is_single_process() -> bool:
    """Whether one process trains by itself."""
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
        summed = gradients[0].contiguous()
        distributed.all_reduce(summed)
        start = rank_and_world_size()[0] * ctx.size
        return summed.narrow(ctx.axis, start, ctx.size), None


def all_gather(own: Tensor, axis: int) -> Tensor:
    """Return the tensors of all processes, one after another along `axis`, with gradients.

    All must have one shape. Alone, a process gets its own back.
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
    summed: Tensor = _AllReduce.apply(own)  # type: ignore[no-untyped-call]
    return summed


def _sync_batch_norm_forward(norm: _BatchNorm, values: Tensor) -> Tensor:
    """Normalise by the statistics of all processes' batches, (samples, channels, ...)."""
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
    axes = [axis for axis in range(values.dim()) if axis != 1]
    shape = [-1 if axis == 1 else 1 for axis in range(values.dim())]
    count = values.numel() // values.shape[1] * rank_and_world_size()[1]
    mean = _all_reduce(values.sum(dim=axes)) / count
    centred = values - mean.view(shape)
    variance = _all_reduce(centred.square().sum(dim=axes)) / count
    if norm.running_mean is not None and norm.running_var is not None:
        share = norm.momentum or 0.0
        norm.running_mean.lerp_(mean.detach(), share)
        norm.running_var.lerp_(variance.detach() * count / (count - 1), share)
    normed: Tensor = centred * (variance + norm.eps).rsqrt().view(shape)
    if norm.weight is not None:
        normed = normed * norm.weight.view(shape) + norm.bias.view(shape)
    return normed


def sync_batch_norm(module: nn.Module) -> None:
    """Let every batch norm of `module` use the statistics of all processes' batches.

    torch's own SyncBatchNorm does the same on GPUs only.
    """
    if is_single_process():
        return
    for norm in module.modules():
        if isinstance(norm, _BatchNorm):
            norm.forward = _sync_batch_norm_forward.__get__(norm)  # type: ignore[method-assign]
