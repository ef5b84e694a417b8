"""Options of the losses: table `[loss]` of a recipe. Imports no torch."""

from pydantic import Field, model_validator

from ...runtime.config import Options

SUPERVISED_LOSSES = ("cross_entropy", "tet", "tcl", "stcl")


class WeightedLossOptions(Options):
    """A loss.

    - `weight`: factor of the loss in the sum.
    """

    weight: float = Field(default=1.0, gt=0)


class TetOptions(WeightedLossOptions):
    """TET.

    - `regularization`: lambda, the weight of the pull towards the threshold.
    """

    regularization: float = Field(default=0.0, ge=0, le=1)


class EtcOptions(WeightedLossOptions):
    """ETC.

    - `temperature`: temperature that softens the predictions.
    """

    temperature: float = Field(default=4.0, gt=0)


class ContrastiveOptions(WeightedLossOptions):
    """TCL or STCL.

    - `temperature`: temperature of the contrastive loss.
    - `projection_dim`: size of the projected features.
    """

    weight: float = Field(default=0.5, gt=0)
    temperature: float = Field(default=0.1, gt=0)
    projection_dim: int = Field(default=128, ge=2)


class TwsdOptions(WeightedLossOptions):
    """TWSD, self-distillation from the mean prediction.

    - `temperature`: temperature that softens the predictions.
    """

    weight: float = Field(default=0.5, gt=0)
    temperature: float = Field(default=3.0, gt=0)


class TpdOptions(WeightedLossOptions):
    """TPD, distillation of each running mean from the next.

    - `temperature`: temperature that softens the predictions.
    """

    weight: float = Field(default=0.3, gt=0)
    temperature: float = Field(default=1.0, gt=0)


class ConfidenceOptions(WeightedLossOptions):
    """Distillation between the most and the least confident step.

    - `temperature`: temperature that softens the predictions.
    """

    temperature: float = Field(default=2.0, gt=0)


class LossOptions(Options):
    """The losses to sum; cross-entropy alone by default.

    - `cross_entropy`: cross-entropy of the mean logits.
    - `tet`: temporal efficient training, cross-entropy of each timestep.
    - `etc`: enhanced temporal consistency of the predictions.
    - `tcl`: temporal contrastive learning with labels.
    - `stcl`: the same on two augmented views.
    - `twsd`: self-distillation from the mean prediction.
    - `tpd`: distillation of each running mean from the next.
    - `strong_to_weak`: distillation from the most to the least confident step.
    - `weak_to_strong`: distillation from the least to the most confident step.
    """

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
