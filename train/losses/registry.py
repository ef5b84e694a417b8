"""Losses by name, table `[loss]` of a recipe: the training loss is their weighted sum."""

from typing import Any

from torch import Tensor, nn

from ...runtime.errors import RecipeError
from .confidence import confidence_distillation
from .cross_entropy import cross_entropy, prefix_cross_entropy
from .custom import custom_loss
from .distillation import distillation, prefix_distillation, tpd, twsd
from .etc import etc
from .options import LossOptions
from .regression import regression_loss
from .tcl import projection_mlp, tcl
from .tet import tet


def make_projection_head(options: LossOptions, features: int) -> nn.Module:
    """Create the projection head of a contrastive loss, or an identity."""
    contrastive = options.contrastive
    return projection_mlp(features, contrastive.projection_dim) if contrastive else nn.Identity()


def compute_losses(
    options: LossOptions,
    logits: Tensor,
    labels: Tensor,
    projected: Tensor,
    teacher: Tensor | None = None,
    progress: float = 0.0,
    activity: Tensor | None = None,
) -> dict[str, Tensor]:
    """Compute each weighted loss by name; training minimizes their sum.

    Args:
        options: The losses and their weights.
        logits: (timesteps, batch, classes); views of a sample are further samples.
        labels: int64 (batch,), or probabilities (batch, classes) where samples are mixed, which
            contrastive losses cannot take; of a regression standardized targets (batch, outputs).
        projected: Features after the projection head, (timesteps, batch, projection_dim); read by
            contrastive losses alone.
        teacher: Logits (batch, classes) of the models of `[teacher]`, where a loss needs them.
        progress: Part of the epochs that is done, 0 in the first and 1 in the last, for weights
            that change.
        activity: Changes per neuron and timestep of a sigma-delta network, in thresholds, where
            they are a loss.
    """
    functions: dict[str, Any] = {
        "cross_entropy": lambda o: cross_entropy(logits, labels, o.label_smoothing),
        "prefix_cross_entropy": lambda o: prefix_cross_entropy(logits, labels, o.label_smoothing),
        "prefix_distillation": lambda o: prefix_distillation(
            logits, o.temperature, teacher if o.teacher == "model" else None
        ),
        "distillation": lambda o: distillation(logits, _require(teacher), o.temperature, o.over),
        "tet": lambda o: tet(logits, labels, o.regularization, label_smoothing=o.label_smoothing),
        "etc": lambda o: etc(logits, o.temperature),
        "tcl": lambda o: tcl(projected, labels, o.temperature),
        "stcl": lambda o: tcl(projected, labels, o.temperature),
        "twsd": lambda o: twsd(logits, o.temperature),
        "tpd": lambda o: tpd(logits, o.temperature),
        "strong_to_weak": lambda o: confidence_distillation(
            logits, "strong_to_weak", o.temperature
        ),
        "weak_to_strong": lambda o: confidence_distillation(
            logits, "weak_to_strong", o.temperature
        ),
        "mse": lambda o: regression_loss(logits, labels, "mse", o.every_step),
        "mae": lambda o: regression_loss(logits, labels, "mae", o.every_step),
        "huber": lambda o: regression_loss(logits, labels, "huber", o.every_step, o.delta),
        "events": lambda o: _require_activity(activity),
        "custom": lambda o: custom_loss(o, logits, labels),
    }
    chosen = {name: getattr(options, name) for name in functions}
    return {
        name: o.weight_at(progress) * functions[name](o)
        for name, o in chosen.items()
        if o is not None
    }


def _require_activity(activity: Tensor | None) -> Tensor:
    if activity is None:
        raise RecipeError(
            "loss.events: counts the messages of sigma-delta layers, but the network has none; set "
            'network.neuron.kind = "sigma_delta"'
        )
    return activity


def _require(teacher: Tensor | None) -> Tensor:
    if teacher is None:
        raise RecipeError('loss.distillation: has no teacher; set teacher.models = ["runs/other"]')
    return teacher
