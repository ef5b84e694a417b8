"""Losses by name, table `[loss]` of a recipe: the training loss is their weighted sum."""

from typing import Any

from torch import Tensor, nn

from .confidence import confidence_distillation
from .cross_entropy import cross_entropy
from .distillation import tpd, twsd
from .etc import etc
from .options import LossOptions
from .tcl import projection_mlp, tcl
from .tet import tet


def make_projection_head(options: LossOptions, features: int) -> nn.Module:
    """Create the projection head of a contrastive loss, or an identity."""
    contrastive = options.contrastive
    return projection_mlp(features, contrastive.projection_dim) if contrastive else nn.Identity()


def compute_losses(
    options: LossOptions, logits: Tensor, labels: Tensor, projected: Tensor
) -> dict[str, Tensor]:
    """Compute each weighted loss by name; training minimizes their sum.

    Args:
        options: The losses and their weights.
        logits: (timesteps, batch, classes); views of a sample are further samples.
        labels: int64 (batch,).
        projected: Features after the projection head, (timesteps, batch, projection_dim); read by
            contrastive losses alone.
    """
    functions: dict[str, Any] = {
        "cross_entropy": lambda o: cross_entropy(logits, labels),
        "tet": lambda o: tet(logits, labels, o.regularization),
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
    }
    chosen = {name: getattr(options, name) for name in functions}
    return {name: o.weight * functions[name](o) for name, o in chosen.items() if o is not None}
