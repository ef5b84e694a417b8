"""Momentum encoder: exponential moving average of weights, and its schedule."""

import copy
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

Module = TypeVar("Module", bound=nn.Module)


def ema_copy(module: Module) -> Module:
    """Copy `module` without gradients."""
    return copy.deepcopy(module).requires_grad_(False)


@torch.no_grad()
def ema_update(slow: nn.Module, fast: nn.Module, momentum: float) -> None:
    """Update each parameter: slow = momentum * slow + (1 - momentum) * fast.

    Batch norm's running statistics are not averaged: `slow` normalizes by its own batches.
    """
    for own, other in zip(slow.parameters(), fast.parameters(), strict=True):
        own.lerp_(other, 1 - momentum)


MAX_INITIAL_FRACTION = 0.05  # of the initial weights that is left at the end of a run


def momentum_schedule(start: float, step: int, steps: int) -> float:
    """Momentum at `step` of `steps`, from `start` to 1 along half a cosine (BYOL).

        1 - (1 - start) * (cos(pi step / steps) + 1) / 2

    The product of all momenta is the fraction of the initial weights in the momentum encoder. It is
    at most exp(-(1 - start) (steps - 1) / 2); where that exceeds 5 %, as in runs of few steps, a
    lower start is used, at which it is 5 %.
    """
    most = 1 - 2 * math.log(1 / MAX_INITIAL_FRACTION) / max(steps - 1, 1)
    start = max(min(start, most), 0.0)
    return 1 - (1 - start) * (math.cos(math.pi * step / max(steps, 1)) + 1) / 2


@contextmanager
def frozen_bn_stats(module: nn.Module) -> Iterator[None]:
    """Let batch norm normalize by its batch without updating its running statistics."""
    norms = [each for each in module.modules() if isinstance(each, _BatchNorm)]
    saved = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.num_batches_tracked = None
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, saved, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
