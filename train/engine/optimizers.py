"""Optimizers and learning rate schedules of a recipe, on torch.optim."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import nn

from .optimizer_options import (
    AdamOptions,
    AnnealingOptions,
    ConstantOptions,
    OneCycleOptions,
    RmspropOptions,
    SgdOptions,
    StepOptions,
)
from .training_config import TrainingOptions

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
}
FUSED = ("adamw", "adam", "sgd")


def make_optimizer(
    options: TrainingOptions, module: nn.Module, fused: bool = True
) -> torch.optim.Optimizer:
    """Create the optimizer of the trainable parameters of `module`.

    `fused` chooses torch's fused kernels, where the optimizer has them.
    """
    table = options.optimizer
    settings: dict[str, Any] = {"lr": options.lr, "weight_decay": options.weight_decay}
    if isinstance(table, AdamOptions):
        settings |= {"betas": (table.beta1, table.beta2), "eps": table.eps}
    elif isinstance(table, SgdOptions):
        settings |= {"momentum": table.momentum, "nesterov": table.nesterov}
    elif isinstance(table, RmspropOptions):
        settings |= {"alpha": table.alpha, "momentum": table.momentum, "eps": table.eps}
    if fused and table.name in FUSED:
        settings["fused"] = True
    return OPTIMIZERS[table.name](group_parameters(module, table.decay_all), **settings)


def group_parameters(module: nn.Module, decay_all: bool) -> Iterable[Any]:
    """Trainable parameters; without `decay_all`, vectors and scalars are a group without decay."""
    trainable = [p for p in module.parameters() if p.requires_grad]
    if decay_all:
        return trainable
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trainable if p.dim() > 1]},
        {"params": [p for p in trainable if p.dim() <= 1], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def make_schedule(
    options: TrainingOptions, optimizer: torch.optim.Optimizer, steps: int
) -> torch.optim.lr_scheduler.LRScheduler | None:
    """Create the schedule of a run of `steps` optimizer steps; None for a constant rate."""
    table = options.schedule
    if isinstance(table, OneCycleOptions):
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            options.lr,
            steps,
            pct_start=table.rise,
            div_factor=table.initial_divisor,
            final_div_factor=table.final_divisor,
        )
    if isinstance(table, ConstantOptions) and not table.warmup_epochs:
        return None
    factor = partial(lr_factor, options, steps)
    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def lr_factor(options: TrainingOptions, steps: int, step: int) -> float:
    """Learning rate of optimizer step `step` (from 0) of `steps`, as a fraction of `lr`.

    The warm-up rises by equal amounts; the step after it has the full rate. "cosine" and "linear"
    then fall to `min_lr` at the step after the last.
    """
    table = options.schedule
    assert not isinstance(table, OneCycleOptions)
    steps_per_epoch = max(1.0, steps / options.epochs)
    warmup = table.warmup_epochs * steps_per_epoch
    if step < warmup:
        first = table.warmup_lr / options.lr
        return first + (1 - first) * step / warmup
    if isinstance(table, AnnealingOptions):
        progress = min(1.0, (step - warmup) / max(1.0, steps - warmup))
        last = table.min_lr / options.lr
        left = (1 + math.cos(math.pi * progress)) / 2 if table.name == "cosine" else 1 - progress
        return last + (1 - last) * left
    if isinstance(table, StepOptions):
        epoch = int(step / steps_per_epoch + 1e-9)
        if table.milestones:
            return float(table.factor ** sum(epoch >= each for each in table.milestones))
        return float(table.factor ** (epoch // table.every))
    return 1.0
