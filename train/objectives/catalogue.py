"""The objectives a recipe can name, each with its weight; the loss is their weighted sum."""

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from .confidence import confidence
from .cross_entropy import cross_entropy
from .distillation import from_mean, from_next_step
from .etc import etc
from .tcl import projection_head, tcl
from .tet import tet

LABELLED = ("cross_entropy", "tet", "tcl", "stcl")


class Weighted(BaseModel):
    """How much an objective counts in the sum."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float = Field(default=1.0, gt=0)


class Regularised(Weighted):
    """TET: `regularisation` is its lambda, the share of the pull towards the threshold."""

    regularisation: float = Field(default=0.0, ge=0, le=1)


class Etc(Weighted):
    """ETC, on answers softened by `temperature`."""

    temperature: float = Field(default=4.0, gt=0)


class Contrastive(Weighted):
    """TCL or STCL: contrast at `temperature` between features projected to `width` values."""

    weight: float = Field(default=0.5, gt=0)
    temperature: float = Field(default=0.1, gt=0)
    width: int = Field(default=128, ge=2)


class FromMean(Weighted):
    """Distillation from the mean answer, softened by `temperature`."""

    weight: float = Field(default=0.5, gt=0)
    temperature: float = Field(default=3.0, gt=0)


class FromNextStep(Weighted):
    """Distillation of each running mean from the next, softened by `temperature`."""

    weight: float = Field(default=0.3, gt=0)
    temperature: float = Field(default=1.0, gt=0)


class Confidence(Weighted):
    """Distillation between the most and the least confident step, softened by `temperature`."""

    temperature: float = Field(default=2.0, gt=0)


class ObjectiveOptions(BaseModel):
    """The objectives to sum up; cross-entropy alone if nothing is said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cross_entropy: Weighted | None = None
    tet: Regularised | None = None
    etc: Etc | None = None
    tcl: Contrastive | None = None
    stcl: Contrastive | None = None
    from_mean: FromMean | None = None
    from_next_step: FromNextStep | None = None
    strong_to_weak: Confidence | None = None
    weak_to_strong: Confidence | None = None

    @model_validator(mode="before")
    @classmethod
    def _default(cls, values: object) -> object:
        return values or {"cross_entropy": {}}

    @model_validator(mode="after")
    def _one_contrast(self) -> "ObjectiveOptions":
        if self.tcl and self.stcl:
            raise ValueError("tcl and stcl are one loss on one and on two views; choose one")
        return self

    @property
    def contrast(self) -> Contrastive | None:
        """The contrastive objective, if there is one."""
        return self.tcl or self.stcl

    @property
    def labelled(self) -> list[str]:
        """The objectives in it that read labels."""
        return [name for name in LABELLED if getattr(self, name)]

    @property
    def views(self) -> int:
        """How many augmented views of each sample the loss needs."""
        return 2 if self.stcl else 1


def head(options: ObjectiveOptions, features: int) -> nn.Module:
    """Return what the objectives train beside the network: a projection head, or nothing."""
    return projection_head(features, options.contrast.width) if options.contrast else nn.Identity()


def losses(
    options: ObjectiveOptions, logits: Tensor, labels: Tensor, projected: Tensor
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
        "from_mean": lambda o: from_mean(logits, o.temperature),
        "from_next_step": lambda o: from_next_step(logits, o.temperature),
        "strong_to_weak": lambda o: confidence(logits, "strong_to_weak", o.temperature),
        "weak_to_strong": lambda o: confidence(logits, "weak_to_strong", o.temperature),
    }
    chosen = {name: getattr(options, name) for name in parts}
    return {name: o.weight * parts[name](o) for name, o in chosen.items() if o is not None}
