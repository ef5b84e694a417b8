"""The objectives a recipe can name, each with its weight; the loss is their weighted sum."""

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from .cross_entropy import cross_entropy
from .etc import etc


class Weighted(BaseModel):
    """How much an objective counts in the sum."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float = Field(default=1.0, gt=0)


class Tempered(Weighted):
    """An objective on answers softened by a temperature."""

    temperature: float = Field(default=4.0, gt=0)


class ObjectiveOptions(BaseModel):
    """The objectives to sum up; cross-entropy alone if nothing is said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    cross_entropy: Weighted | None = None
    etc: Tempered | None = None

    @model_validator(mode="before")
    @classmethod
    def _default(cls, values: object) -> object:
        return values or {"cross_entropy": {}}


def losses(options: ObjectiveOptions, logits: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return each objective's weighted loss by name; training minimises their sum.

    `logits` is (timesteps, batch, classes), `labels` int64 (batch,).
    """
    found: dict[str, Tensor] = {}
    if options.cross_entropy:
        found["cross_entropy"] = options.cross_entropy.weight * cross_entropy(logits, labels)
    if options.etc:
        found["etc"] = options.etc.weight * etc(logits, options.etc.temperature)
    return found
