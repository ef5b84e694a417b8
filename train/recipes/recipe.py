"""Recipe of a training run: everything that decides its result, in one TOML file."""

from pydantic import BaseModel, ConfigDict, model_validator

from ..data.augment import AugmentOptions
from ..data.options import DataOptions
from ..engine.training_config import DeviceOptions, TrainingOptions
from ..losses.registry import LossOptions
from ..models import ConvOptions, NetworkOptions


class Recipe(BaseModel):
    """A training run: data, network, loss, augmentation, training and devices."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: DataOptions
    network: NetworkOptions = ConvOptions()
    loss: LossOptions = LossOptions()
    augment: AugmentOptions = AugmentOptions()
    training: TrainingOptions = TrainingOptions()
    devices: DeviceOptions = DeviceOptions()

    @model_validator(mode="after")
    def _check_labels(self) -> "Recipe":
        if not self.data.labels:
            for name in self.loss.supervised_losses:
                raise ValueError(f"loss.{name} needs labels, but data.labels is false")
        return self
