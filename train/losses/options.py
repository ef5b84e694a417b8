"""Options of the losses: table `[loss]` of a recipe. Imports no torch."""

import math
from typing import Any, Literal

from pydantic import Field, model_validator

from ...runtime.config import Options

SUPERVISED_LOSSES = (
    "cross_entropy", "tet", "prefix_cross_entropy", "tcl", "stcl", "mse", "mae", "huber",
)  # fmt: skip


class WeightedLossOptions(Options):
    """A loss.

    - `weight`: factor of the loss in the sum, in the first epoch.
    - `final_weight`: factor in the last epoch; by default `weight`.
    - `weight_schedule`: how the factor goes from one to the other over the epochs, along half a
      cosine or a line.
    """

    weight: float = Field(default=1.0, gt=0)
    final_weight: float | None = Field(default=None, ge=0)
    weight_schedule: Literal["cosine", "linear"] = "cosine"

    def weight_at(self, progress: float) -> float:
        """Factor at `progress`, 0 in the first epoch and 1 in the last."""
        if self.final_weight is None:
            return self.weight
        if self.weight_schedule == "cosine":
            progress = (1 - math.cos(math.pi * progress)) / 2
        return self.weight + progress * (self.final_weight - self.weight)


class CrossEntropyOptions(WeightedLossOptions):
    """Cross-entropy.

    - `label_smoothing`: probability that is spread evenly over all classes.
    """

    label_smoothing: float = Field(default=0.0, ge=0, lt=1)


class PrefixCrossEntropyOptions(CrossEntropyOptions):
    """Cross-entropy of the running means."""

    weight: float = Field(default=0.3, gt=0)


class TetOptions(CrossEntropyOptions):
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


class PrefixDistillationOptions(WeightedLossOptions):
    """PKD, distillation of each running mean from a full answer.

    - `temperature`: temperature that softens the predictions.
    - `teacher`: the full answer of the network itself, "self", or of the models of `[teacher]`,
      "model".
    """

    weight: float = Field(default=0.3, gt=0)
    temperature: float = Field(default=2.0, gt=0)
    teacher: Literal["self", "model"] = "self"


class DistillationOptions(WeightedLossOptions):
    """Distillation from the models of `[teacher]`.

    - `temperature`: temperature that softens the predictions.
    - `over`: what learns, the "mean" of the logits over time or the logits of all "steps" (TWKL,
      arXiv 2501.15925: weight 0.2).
    """

    temperature: float = Field(default=3.0, gt=0)
    over: Literal["mean", "steps"] = "mean"


class ConfidenceOptions(WeightedLossOptions):
    """Distillation between the most and the least confident step.

    - `temperature`: temperature that softens the predictions.
    """

    temperature: float = Field(default=2.0, gt=0)


class RegressionLossOptions(WeightedLossOptions):
    """Error of the estimates of a regression, in standard deviations of the targets.

    - `every_step`: average over the estimates after each timestep, instead of the last alone.
    """

    every_step: bool = False


class HuberOptions(RegressionLossOptions):
    """Huber loss.

    - `delta`: error at which it becomes linear, in standard deviations of the targets.
    """

    delta: float = Field(default=1.0, gt=0)


class EventsOptions(WeightedLossOptions):
    """Number of messages of sigma-delta layers."""

    weight: float = Field(default=0.01, gt=0)


class CustomLossOptions(WeightedLossOptions):
    """A loss of one's own.

    - `function`: the function, as "FILE.py:NAME" (found beside the recipe too) or
      "PACKAGE.MODULE:NAME". It is called with the logits (timesteps, batch, classes), what each
      step adds to the read-out, the labels (batch,) and `options`, and returns a number.
    - `options`: further arguments of the function, by name.
    """

    function: str
    options: dict[str, Any] = {}


class LossOptions(Options):
    """The losses to sum; cross-entropy alone by default.

    - `cross_entropy`: cross-entropy of the mean logits.
    - `prefix_cross_entropy`: cross-entropy of the running mean after each timestep.
    - `prefix_distillation`: PKD, distillation of each running mean from a full answer.
    - `distillation`: distillation from other models, such as a network without spikes.
    - `tet`: temporal efficient training, cross-entropy of each timestep.
    - `etc`: enhanced temporal consistency of the predictions.
    - `tcl`: temporal contrastive learning with labels.
    - `stcl`: the same on two augmented views.
    - `twsd`: self-distillation from the mean prediction.
    - `tpd`: distillation of each running mean from the next.
    - `strong_to_weak`: distillation from the most to the least confident step.
    - `weak_to_strong`: distillation from the least to the most confident step.
    - `mse`: mean squared error of a regression.
    - `mae`: mean absolute error of a regression.
    - `huber`: Huber loss of a regression.
    - `events`: changes of sigma-delta layers per neuron and timestep, in thresholds: about the
      number of messages.
    - `custom`: a loss of one's own.
    """

    cross_entropy: CrossEntropyOptions | None = None
    prefix_cross_entropy: PrefixCrossEntropyOptions | None = None
    prefix_distillation: PrefixDistillationOptions | None = None
    distillation: DistillationOptions | None = None
    tet: TetOptions | None = None
    etc: EtcOptions | None = None
    tcl: ContrastiveOptions | None = None
    stcl: ContrastiveOptions | None = None
    twsd: TwsdOptions | None = None
    tpd: TpdOptions | None = None
    strong_to_weak: ConfidenceOptions | None = None
    weak_to_strong: ConfidenceOptions | None = None
    mse: RegressionLossOptions | None = None
    mae: RegressionLossOptions | None = None
    huber: HuberOptions | None = None
    events: EventsOptions | None = None
    custom: CustomLossOptions | None = None

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
    def needs_teacher(self) -> bool:
        """True where a loss learns from the models of `[teacher]`."""
        prefix = self.prefix_distillation
        return self.distillation is not None or bool(prefix and prefix.teacher == "model")

    @property
    def scheduled_losses(self) -> list[str]:
        """Names of the losses whose weight depends on the number of epochs."""
        chosen = ((name, getattr(self, name)) for name in type(self).model_fields)
        return [name for name, options in chosen if options and options.final_weight is not None]

    @property
    def supervised_losses(self) -> list[str]:
        """Names of the chosen losses that need labels."""
        return [name for name in SUPERVISED_LOSSES if getattr(self, name)]

    @property
    def num_views(self) -> int:
        """Number of augmented views of each sample."""
        return 2 if self.stcl else 1
