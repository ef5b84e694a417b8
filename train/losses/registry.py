"""The objectives a recipe can name, each with its weight; the loss is their weighted sum."""

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
    """How much an objective counts in the sum."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float = Field(default=1.0, gt=0)


class TetOptions(WeightedLossOptions):
    """TET: `regularisation` is its lambda, the share of the pull towards the threshold."""

    regularization: float = Field(default=0.0, ge=0, le=1)


class EtcOptions(WeightedLossOptions):
    """ETC, on answers softened by `temperature`."""

    temperature: float = Field(default=4.0, gt=0)


class ContrastiveOptions(WeightedLossOptions):
    """TCL or STCL: contrast at `temperature` between features projected to `width` values."""

    weight: float = Field(default=0.5, gt=0)
    temperature: float = Field(default=0.1, gt=0)
    projection_dim: int = Field(default=128, ge=2)


class TwsdOptions(WeightedLossOptions):
    """Distillation from the mean answer, softened by `temperature`."""

    weight: float = Field(default=0.5, gt=0)
    temperature: float = Field(default=3.0, gt=0)


class TpdOptions(WeightedLossOptions):
    """Distillation of each running mean from the next, softened by `temperature`."""

    weight: float = Field(default=0.3, gt=0)
    temperature: float = Field(default=1.0, gt=0)


class ConfidenceOptions(WeightedLossOptions):
    """Distillation between the most and the least confident step, softened by `temperature`."""

    temperature: float = Field(default=2.0, gt=0)


class LossOptions(BaseModel):
    """The objectives to sum up; cross-entropy alone if nothing is said."""

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
        """The contrastive objective, if there is one."""
        return self.tcl or self.stcl

    @property
    def supervised_losses(self) -> list[str]:
        """The objectives in it that read labels."""
        return [name for name in SUPERVISED_LOSSES if getattr(self, name)]

    @property
    def num_views(self) -> int:
        """How many augmented views of each sample the loss needs."""
        return 2 if self.stcl else 1


def make_projection_head(options: LossOptions, features: int) -> nn.Module:
    """Return what the objectives train beside the network: a projection head, or nothing."""
    return (
        projection_mlp(features, options.contrastive.projection_dim)
        if options.contrastive
        else nn.Identity()
    )


def compute_losses(
    options: LossOptions, logits: Tensor, labels: Tensor, projected: Tensor
) -> dict[str, Tensor]:
    """Return each objective's weighted loss by name; training minimises their sum.

    `logits` is (timesteps, batch, classes), `labels` int64 (batch,), `projected` what `head` gives
    for the features, (timesteps, batch, width). The views of a sample are further samples.
    """
    parts = {
        "cross_entropy": lambda o: cross_entropy(logits, labels),
        "tet": lambda o: tet(logits, labels, o.regularisation),
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
    chosen = {name: getattr(options, name) for name in parts}
    return {name: o.weight * parts[name](o) for name, o in chosen.items() if o is not None}
