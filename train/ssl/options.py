"""Options of objectives, PredNext and views of a pretraining recipe. Imports no torch."""

from typing import Literal

from pydantic import Field, model_validator

from ...runtime.config import Options

ObjectiveName = Literal["simclr", "moco", "byol", "simsiam", "barlow_twins", "vicreg"]
OBJECTIVES: tuple[ObjectiveName, ...] = (
    "simclr",
    "moco",
    "byol",
    "simsiam",
    "barlow_twins",
    "vicreg",
)


class ObjectiveOptions(Options):
    """A self-supervised objective and its heads.

    - `name`: objective.
    - `projector`: layer sizes of the projector after the network, applied at each timestep; losses
      see the mean over timesteps.
    - `predictor`: hidden size of BYOL's and SimSiam's predictor; by default as published, a quarter
      of the features for SimSiam (a bottleneck) and the projector's first size for BYOL.
    - `temperature`: of SimCLR and MoCo.
    - `queue_size`: number of MoCo's keys.
    - `momentum`: initial momentum of the momentum encoder (MoCo, BYOL), which rises to 1; lower in
      short runs, so that at most 5 % of the initial weights are left at the end.
    - `redundancy`: lambda of Barlow Twins.
    - `invariance`, `variance`, `covariance`: weights of VICReg.
    - `consistency_weight`: weight of the temporal consistency error, added to the loss: forced
      consistency, the baseline of PredNext.
    """

    name: ObjectiveName
    projector: tuple[int, ...] = Field(default=(256, 64), min_length=1)
    predictor: int | None = Field(default=None, ge=1)
    temperature: float = Field(default=0.2, gt=0)
    queue_size: int = Field(default=512, ge=1)
    momentum: float = Field(default=0.99, ge=0, le=1)
    redundancy: float = Field(default=5e-3, ge=0)
    invariance: float = Field(default=25.0, ge=0)
    variance: float = Field(default=25.0, ge=0)
    covariance: float = Field(default=1.0, ge=0)
    consistency_weight: float = Field(default=0.0, ge=0)

    @property
    def needs_momentum_encoder(self) -> bool:
        """True for objectives with a momentum encoder."""
        return self.name in ("moco", "byol")

    @property
    def predictor_size(self) -> int:
        """Hidden size of the predictor."""
        if self.predictor is not None:
            return self.predictor
        return max(self.projector[-1] // 4, 1) if self.name == "simsiam" else self.projector[0]

    @property
    def needs_predictor(self) -> bool:
        """True for objectives with a predictor."""
        return self.name in ("byol", "simsiam")


class PredNextOptions(Options):
    """PredNext: loss = (1 - weight) * objective + weight * prediction.

    - `weight`: weight of the prediction loss; 0 leaves it out, 1 the objective. Not published.
    - `step`: step prediction, of the features `interval` steps later.
    - `clip`: clip prediction, of the time mean of a later clip of the same video.
    - `interval`: prediction interval in steps; 1 in the paper.
    - `cross_view`: predict the features of the other view (as in the paper), else of the same.
    - `reduction`: mean or sum over a clip's steps. The paper writes the sum, which outweighs the
      clip's term by the number of steps.
    - `targets`: features of the network itself, detached ("online"), or of its momentum encoder.
    - `hidden`: hidden size of the predictors; 128 in the paper.
    """

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
            raise ValueError(
                "step and clip are both off; set weight = 0 to train without prediction"
            )
        return self

    @property
    def needs_later_clip(self) -> bool:
        """True where clip prediction needs a later clip."""
        return bool(self.weight and self.clip)


class ViewOptions(Options):
    """Augmentation that makes a view of a clip: table `[views]` of a pretraining recipe.

    - `crop`: smallest fraction of the image's area that is cropped and rescaled to its size.
    - `flip`: mirror left to right with probability 1/2.
    - `rotate`: rotate by up to so many degrees.
    - `color`: jitter brightness and contrast by up to this fraction; with three channels also
      saturation by as much, and hue by a quarter of it.
    - `grayscale`, `blur`: probability of each.
    - `noise`: standard deviation of Gaussian noise on each value.
    - `second`: clip that the second view is made of, the "same" or the "later" one of the pair: the
      control that shows the objective two clips, without PredNext.

    Binary events are cropped and mirrored only. Leave out what changes a label: a mirrored motion
    to the left is one to the right.
    """

    crop: float = Field(default=0.5, gt=0, le=1)
    flip: bool = False
    rotate: float = Field(default=0.0, ge=0, le=180)
    color: float = Field(default=0.4, ge=0, le=1)
    grayscale: float = Field(default=0.0, ge=0, le=1)
    blur: float = Field(default=0.0, ge=0, le=1)
    noise: float = Field(default=0.0, ge=0)
    second: Literal["same", "later"] = "same"
