"""Losses by name, table `[loss]` of a recipe: the training loss is their weighted sum."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from .confidence import confidence_distillation
from .cross_entropy import cross_entropy
from .distillation import tpd, twsd
from .etc import etc
from .tcl import projection_mlp, tcl
from .tet import tet

SUPERVISED_LOSSES = ("cross_entropy", "tet", "tcl", "stcl")


class WeightedLossOptions(BaseModel):
    """`weight` of a loss in the sum."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float = Field(default=1.0, gt=0)


class TetOptions(WeightedLossOptions):
    """TET: `regularization` is its lambda, the weight of the pull towards the threshold."""

    regularization: float = Field(default=0.0, ge=0, le=1)


class EtcOptions(WeightedLossOptions):
    """ETC, on predictions softened by `temperature`."""

    temperature: float = Field(default=4.0, gt=0)


class ContrastiveOptions(WeightedLossOptions):
    """TCL or STCL at `temperature`, on features projected to `projection_dim` values."""

    weight: float = Field(default=0.5, gt=0)
    temperature: float = Field(default=0.1, gt=0)
    projection_dim: int = Field(default=128, ge=2)


class TwsdOptions(WeightedLossOptions):
    """TWSD, self-distillation from the mean prediction, softened by `temperature`."""

    weight: float = Field(default=0.5, gt=0)
    temperature: float = Field(default=3.0, gt=0)


class TpdOptions(WeightedLossOptions):
    """TPD, distillation of each running mean from the next, softened by `temperature`."""

    weight: float = Field(default=0.3, gt=0)
    temperature: float = Field(default=1.0, gt=0)


class ConfidenceOptions(WeightedLossOptions):
    """Distillation between the most and the least confident step, softened by `temperature`."""

    temperature: float = Field(default=2.0, gt=0)


class LossOptions(BaseModel):
    """The losses to sum; cross-entropy alone by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cross_entropy: WeightedLossOptions | None = None
    tet: TetOptions | None = None
    etc: EtcOptions | None = None
    tcl: ContrastiveOptions | None = None
    stcl: ContrastiveOptions | None = None
    twsd: TwsdOptions | None = None
    tpd: TpdOptions | None = None
    strong_to_weak: ConfidenceOptions | None = None
    weak_to_strong: ConfidenceOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _default(cls, values: object) -> object:
        return values or {"cross_entropy": {}}

    @model_validator(mode="after")
    def _check_contrastive(self) -> "LossOptions":
        if self.tcl and self.stcl:
            raise ValueError("tcl and stcl are one loss on one and on two views; choose one")
        return self

    @property
    def contrastive(self) -> ContrastiveOptions | None:
        """Options of the contrastive loss, if there is one."""
        return self.tcl or self.stcl

    @property
    def supervised_losses(self) -> list[str]:
        """Names of the chosen losses that need labels."""
        return [name for name in SUPERVISED_LOSSES if getattr(self, name)]

    @property
    def num_views(self) -> int:
        """Number of augmented views of each sample."""
        return 2 if self.stcl else 1


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
