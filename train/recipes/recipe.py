"""Recipe of a training run: everything that decides its result, in one TOML file."""

from pydantic import model_validator

from ...runtime.config import Options
from ..data.augment_options import AugmentOptions
from ..data.options import DataOptions
from ..engine.training_config import DeviceOptions, TrainingOptions
from ..engine.transfer_options import TransferOptions
from ..losses.options import LossOptions
from ..models.options import ConvOptions, NetworkOptions
from ..models.readout_options import ReadoutOptions
from .teacher_options import TeacherOptions


class Recipe(Options):
    """A training run.

    - `data`: dataset and its conversion to frames.
    - `network`: architecture.
    - `readout`: how voltages become predictions.
    - `loss`: losses to sum.
    - `augment`: augmentation of training samples.
    - `teacher`: models to learn from.
    - `transfer`: weights to start from, and layers that are not trained.
    - `training`: optimization.
    - `devices`: hardware.
    """

    data: DataOptions
    network: NetworkOptions = ConvOptions()
    readout: ReadoutOptions = ReadoutOptions()
    loss: LossOptions = LossOptions()
    augment: AugmentOptions = AugmentOptions()
    teacher: TeacherOptions | None = None
    transfer: TransferOptions = TransferOptions()
    training: TrainingOptions = TrainingOptions()
    devices: DeviceOptions = DeviceOptions()

    @model_validator(mode="after")
    def _check_labels(self) -> "Recipe":
        if not self.data.labels:
            for name in self.loss.supervised_losses:
                raise ValueError(f"loss.{name} needs labels, but data.labels is false")
        return self

    @model_validator(mode="after")
    def _check_teacher(self) -> "Recipe":
        if self.loss.needs_teacher and self.teacher is None:
            raise ValueError(
                'loss: learns from other models; name them, as teacher.models = ["runs/other"]'
            )
        return self

    @model_validator(mode="after")
    def _check_mixing(self) -> "Recipe":
        mix = self.augment.mix
        if mix and mix.kinds and self.loss.contrastive:
            raise ValueError(
                "augment.mix: mixed samples have no class of their own, which loss.tcl and "
                "loss.stcl need; leave one of them out"
            )
        return self
