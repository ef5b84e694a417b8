"""What a recipe says about training itself: tables `[training]`, `[augment]` and `[devices]`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class AugmentOptions(BaseModel):
    """How training clips are varied; one draw a clip, the same for all its time steps.

    `shift` moves it by up to so many pixels along each axis, with zeros at the edge; `flip` mirrors
    half of them left to right; `cutout` blanks a square of so many pixels a side; `rotate` and
    `shear` turn and slant it by up to so many degrees.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shift: int = Field(default=0, ge=0)
    flip: bool = False
    cutout: int = Field(default=0, ge=0)
    rotate: float = Field(default=0.0, ge=0, le=180)
    shear: float = Field(default=0.0, ge=0, lt=90)


class TrainingOptions(BaseModel):
    """How weights are found: AdamW, a learning rate that rises and falls once (one cycle).

    For the last `qat_epochs` batch norm is frozen and folded, and the network trains as the
    integers it will be. `batch` samples go through each device at once; the gradients of
    `accumulate` batches make a step. `validation` samples of each class are kept from training, by
    the seed: early exits are set on them, and with `select_epoch = "validation"` the epoch is chosen in
    which most of them were right, of the quantised ones where there are any; else the last stands.
    `recompute` computes activations twice, to keep fewer. `tensorboard` writes its logs, too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=20, ge=1)
    qat_epochs: int = Field(default=7, ge=0)
    batch_size: int = Field(default=32, ge=2)
    accumulate_grad_batches: int = Field(default=1, ge=1)
    lr: float = Field(default=4e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    validation_per_class: int = Field(default=0, ge=0)
    select_epoch: Literal["last", "validation"] = "last"
    gradient_checkpointing: bool = False
    tensorboard: bool = False
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check_epochs(self) -> "TrainingOptions":
        if self.qat_epochs > self.epochs:
            raise ValueError(f"qat_epochs is {self.qat_epochs}, but there are {self.epochs} epochs")
        if self.select_epoch == "validation" and not self.validation_per_class:
            raise ValueError(
                'select_epoch = "validation" needs validation samples: set validation_per_class = 10'
            )
        return self


class DeviceOptions(BaseModel):
    """What trains: `devices` of a kind on each of `nodes`, one process each.

    On several, every process takes its share of the samples, and gradients are averaged. In a
    mixed `precision` layers compute in 16 bits, but never while they are quantised, where sums are
    exact.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    accelerator: Literal["cpu", "gpu", "mps", "auto"] = "cpu"
    devices: int = Field(default=1, ge=1)
    nodes: int = Field(default=1, ge=1)
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
