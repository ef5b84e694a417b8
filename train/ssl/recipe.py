"""Recipe of a self-supervised pretraining run, in one TOML file."""

from pydantic import Field, model_validator

from ...runtime.config import Options
from ..data.clips import ClipOptions
from ..data.video_options import VideoOptions
from ..engine.training_config import DeviceOptions
from ..models.options import ConvOptions, NetworkOptions
from .options import ObjectiveOptions, PredNextOptions, ViewOptions

MAX_MOTION_ROTATION = 20.0  # degrees that leave the label of a motion as it is


class PretrainingOptions(Options):
    """Optimization by AdamW, with a learning rate that anneals to 0 along half a cosine.

    - `epochs`: passes over the videos; each samples new clips.
    - `batch_size`: videos per device and step.
    - `lr`: initial learning rate.
    - `weight_decay`: decoupled weight decay.
    - `gradient_checkpointing`: recompute activations in the backward pass to save memory.
    - `compact_spikes`: keep spikes for the backward pass as bytes.
    - `num_workers`: processes that decode videos; 0 decodes in the training process.
    - `seed`: seed of initial weights, order, clips and views.
    """

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=64, ge=2)
    lr: float = Field(default=2e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    gradient_checkpointing: bool = False
    compact_spikes: bool = False
    num_workers: int = Field(default=0, ge=0)
    seed: int = Field(default=0, ge=0)


class PretrainRecipe(Options):
    """A pretraining run.

    - `data`: videos.
    - `clips`: clips that are sampled from a video.
    - `network`: architecture.
    - `objective`: self-supervised objective.
    - `prednext`: PredNext.
    - `views`: augmentation that makes two views.
    - `training`: optimization.
    - `devices`: hardware.
    """

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
        prednext, timesteps = self.prednext, self.clips.timesteps
        if prednext.weight and prednext.step and prednext.interval >= timesteps:
            raise ValueError(
                f"prednext.interval is {prednext.interval}, but a clip has {timesteps} timesteps"
            )
        if self.views.second == "later" and prednext.weight:
            raise ValueError(
                'views.second is "later", the control without PredNext; set prednext.weight = 0'
            )
        changes_motion = self.views.flip or self.views.rotate > MAX_MOTION_ROTATION
        if self.data.name in ("digit-motions", "fashion-motions") and changes_motion:
            raise ValueError(
                "views.flip and views.rotate above 20 degrees change the motion of an object, "
                "which is a label; leave them out"
            )
        return self

    @property
    def needs_later_clip(self) -> bool:
        """True where a later clip of each video is used."""
        return self.prednext.needs_later_clip or self.views.second == "later"
