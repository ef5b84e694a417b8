"""Recipe of a training run: everything that decides its result, in one TOML file."""

from pydantic import model_validator

from ...runtime.config import Options
from ..data.augment_options import AugmentOptions
from ..data.options import DataOptions
from ..engine.training_config import DeviceOptions, TrainingOptions
from ..losses.options import LossOptions
from ..models.options import ConvOptions, NetworkOptions


class Recipe(Options):
    """A training run.

    - `data`: dataset and its conversion to frames.
    - `network`: architecture.
    - `loss`: losses to sum.
    - `augment`: augmentation of training samples.
    - `training`: optimization.
    - `devices`: hardware.
    """

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
