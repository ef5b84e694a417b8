"""The recipe of a pretraining run, in one TOML file."""

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..data.clips import ClipOptions
from ..data.video_options import VideoOptions
from ..engine.training_config import DeviceOptions
from ..models import ConvOptions, NetworkOptions
from .objectives import ObjectiveOptions
from .prednext import PredNextOptions
from .views import ViewOptions

RECIPE_PACKAGE = "pumice.train.recipes.pretraining"
MAX_MOTION_ROTATION = 20.0  # of rotation, that leave a motion to the left one to the left


class PretrainingOptions(BaseModel):
    """How weights are found: AdamW, with a learning rate that falls to 0 along half a cosine.

    `batch` videos go through each device at once; `workers` processes decode them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=64, ge=2)
    lr: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    num_workers: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)


class PretrainRecipe(BaseModel):
    """A pretraining run: videos, clips, network, objective, PredNext, views, fit and devices."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: VideoOptions
    clips: ClipOptions = ClipOptions()
    network: NetworkOptions = ConvOptions()
    objective: ObjectiveOptions
    prednext: PredNextOptions = PredNextOptions()
    views: ViewOptions = ViewOptions()
    training: PretrainingOptions = PretrainingOptions()
    devices: DeviceOptions = DeviceOptions()

    @model_validator(mode="after")
    def _check_clips(self) -> "PretrainRecipe":
        prednext, steps = self.prednext, self.clips.timesteps
        if prednext.weight and prednext.step and prednext.interval >= steps:
            raise ValueError(
                f"prednext.interval is {prednext.interval}, but a clip has {steps} timesteps"
            )
        turned = self.views.flip or self.views.rotate > MAX_MOTION_ROTATION
        if self.data.name == "digit-motions" and turned:
            raise ValueError(
                "views.flip and views.rotate above 20 degrees make another motion of a digit's; "
                "leave them out"
            )
        return self
