"""PredNext: each view predicts what the other shows at the next step and in a later clip.

Y. Dong et al., "PredNext: Explicit Cross-View Temporal Prediction for Unsupervised Learning in
Spiking Neural Networks", arXiv 2509.24844, 2025. What the paper leaves open is said at each option.
"""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from .heads import mlp
from .losses import negative_cosine

Views = tuple[Tensor, Tensor]


class PredNextOptions(BaseModel):
    """How features are made to foretell: loss = (1 - weight) * objective + weight * prediction.

    `weight` 0 leaves it out, 1 the objective. `step` predicts the feature `interval` steps on,
    `clip` the time mean of a later clip of the same video; `cross_view` predicts those of the other
    view, else of its own. `reduction` takes the mean of a clip's steps or their sum. `targets`
    come from the network itself, detached ("online"), or from its momentum copy. The predictors
    have `hidden` neurons. The paper gives an interval of 1, cross view and 128 hidden; it does not
    say the weight, and writes the sum, which outweighs the clip's term by the number of steps.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight: float = Field(default=0.0, ge=0, le=1)
    step: bool = True
    clip: bool = True
    interval: int = Field(default=1, ge=1)
    cross_view: bool = True
    reduction: Literal["mean", "sum"] = "mean"
    targets: Literal["online", "momentum"] = "online"
    hidden: int = Field(default=128, ge=1)

    @model_validator(mode="after")
    def _check_predictors(self) -> "PredNextOptions":
        if self.weight and not (self.step or self.clip):
            raise ValueError("step and clip are both off; with weight 0 nothing is predicted")
        return self

    @property
    def needs_later_clip(self) -> bool:
        """Whether a later clip is needed."""
        return bool(self.weight and self.clip)


@dataclass(frozen=True)
class PredictionTargets:
    """What is to be foretold, for each of the two views: no gradient goes through it.

    `steps`: features (timesteps, samples, dimensions). `later`: time means of the later clip,
    (samples, dimensions), where the clip predictor is on.
    """

    steps: Views
    later: Views | None


class PredNext(nn.Module):
    """The two predictors, and the loss that they and the features before them are trained by."""

    def __init__(self, options: PredNextOptions, dimensions: int):
        super().__init__()
        self.options = options
        sizes = (dimensions, options.hidden, dimensions)
        self.step = mlp(*sizes) if options.step else None
        self.clip = mlp(*sizes) if options.clip else None

    def forward(self, features: Views, targets: PredictionTargets) -> Tensor:
        """Return the loss for `features` (timesteps, samples, dimensions) of the two views.

        step  = sum over views i of 1/2 reduction_t D(P_T(z_i^t), z_j^(t + interval))
        clip  = sum over views i of 1/2 D(P_C(mean_t z_i^t), later_j)
        D(p, z) = -cos(p, z), mean over samples; j the other view (or the same, i)
        """
        loss = features[0].new_zeros(())
        for view, own in enumerate(features):
            seen = 1 - view if self.options.cross_view else view
            if self.step is not None:
                loss = loss + 0.5 * self._step_loss(self.step, own, targets.steps[seen])
            if self.clip is not None and targets.later is not None:
                later = targets.later[seen]
                loss = loss + 0.5 * negative_cosine(self.clip(own.mean(dim=0)), later)
        return loss

    def _step_loss(self, predictor: nn.Module, own: Tensor, target: Tensor) -> Tensor:
        steps = len(own) - self.options.interval
        before = own[:steps]
        predicted = predictor(before.flatten(0, 1)).view_as(before)
        loss = negative_cosine(predicted, target[self.options.interval :])
        return loss * steps if self.options.reduction == "sum" else loss


def temporal_consistency_error(features: Tensor) -> Tensor:
    """Return the temporal consistency error of features (timesteps, samples, dimensions), 0 to 2.

        mean over samples and pairs t != s of 1 - cos(f^t, f^s)

    The paper's equation 8: 0 where features stand still. A feature of zeros is like none, itself
    included (its cosine with any is 0).
    """
    timesteps = len(features)
    if timesteps < 2:
        return features.new_zeros(())
    unit = functional.normalize(features, dim=-1)
    total = unit.sum(dim=0).square().sum(dim=-1)
    itself = unit.square().sum(dim=(0, 2))
    return (1 - (total - itself) / (timesteps * (timesteps - 1))).mean()
