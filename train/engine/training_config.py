"""Options of a training run: tables `[training]` and `[devices]` of a recipe."""

from typing import Literal

from pydantic import Field, model_validator

from ...runtime.config import Options
from .optimizer_options import (
    AdamOptions,
    Averaging,
    ConstantOptions,
    OneCycleOptions,
    Optimizer,
    Schedule,
    StepOptions,
    WarmupOptions,
)


class TrainingOptions(Options):
    """Optimization.

    - `epochs`: passes over the training samples.
    - `qat_epochs`: quantization-aware training in the last epochs: batch norm is frozen and folded,
      and the forward pass is that of the integer network.
    - `batch_size`: samples per device and forward pass.
    - `accumulate_grad_batches`: batches whose gradients are summed before an optimizer step.
    - `optimizer`: optimizer, its name or a table with its options.
    - `lr`: peak learning rate.
    - `schedule`: learning rate over time, its name or a table with its options.
    - `weight_decay`: weight decay, decoupled from the gradient by "adamw".
    - `clip_gradient`: largest norm of the gradient of all weights, which is scaled down to it; 0
      leaves it as it is.
    - `averaging`: weights to keep: an average of those over the training steps, its name or a
      table with its options; by default none.
    - `validation_per_class`: training samples of each class held out by the seed, for model
      selection and early-exit calibration.
    - `select_epoch`: weights to keep, of the "last" epoch or of the one with the best "validation"
      accuracy, among the `qat_epochs` where there are any.
    - `patience`: stop after so many epochs without a better validation accuracy, counted among the
      `qat_epochs` where there are any; 0 trains all epochs.
    - `gradient_checkpointing`: recompute activations in the backward pass to save memory.
    - `compact_spikes`: keep spikes for the backward pass as bytes, which takes less memory and, on
      a CPU, a little more time; the weights are the same.
    - `tensorboard`: also write TensorBoard logs.
    - `checkpoint_minutes`: least time between two checkpoints inside an epoch, from which a killed
      run continues with the next batch; 0 writes one after every step.
    - `num_workers`: processes that read samples ahead, for each device; the batches are the same
      for any number. By default one per core where samples are decoded, else none.
    - `seed`: seed of initial weights, sample order, augmentation and held-out samples.
    """

    epochs: int = Field(default=20, ge=1)
    qat_epochs: int = Field(default=7, ge=0)
    batch_size: int = Field(default=32, ge=2)
    accumulate_grad_batches: int = Field(default=1, ge=1)
    lr: float = Field(default=4e-3, gt=0)
    optimizer: Optimizer = AdamOptions()
    schedule: Schedule = OneCycleOptions()
    weight_decay: float = Field(default=1e-2, ge=0)
    clip_gradient: float = Field(default=0.0, ge=0)
    averaging: Averaging | None = None
    validation_per_class: int = Field(default=0, ge=0)
    select_epoch: Literal["last", "validation"] = "last"
    patience: int = Field(default=0, ge=0)
    gradient_checkpointing: bool = False
    compact_spikes: bool = False
    tensorboard: bool = False
    checkpoint_minutes: float = Field(default=10.0, ge=0)
    num_workers: int | None = Field(default=None, ge=0)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _check_epochs(self) -> "TrainingOptions":
        if self.qat_epochs > self.epochs:
            raise ValueError(f"qat_epochs is {self.qat_epochs}, but there are {self.epochs} epochs")
        if self.select_epoch == "validation" and not self.validation_per_class:
            raise ValueError(
                'select_epoch = "validation" needs validation samples: set '
                "validation_per_class = 10"
            )
        if self.patience and not self.validation_per_class:
            raise ValueError(
                f"patience = {self.patience} needs validation samples: set "
                "validation_per_class = 10"
            )
        return self

    @model_validator(mode="after")
    def _check_schedule(self) -> "TrainingOptions":
        schedule, averaging = self.schedule, self.averaging
        if isinstance(schedule, WarmupOptions) and schedule.warmup_epochs >= self.epochs:
            raise ValueError(
                f"schedule.warmup_epochs is {schedule.warmup_epochs:g}, but there are "
                f"{self.epochs} epochs"
            )
        if averaging and averaging.start_epoch >= self.epochs:
            raise ValueError(
                f"averaging.start_epoch is {averaging.start_epoch}, but there are {self.epochs} "
                "epochs"
            )
        return self

    @property
    def can_extend(self) -> bool:
        """True where learning rates do not depend on the number of epochs."""
        return isinstance(self.schedule, ConstantOptions | StepOptions) and not self.patience


class DeviceOptions(Options):
    """Hardware of a run, one process per device.

    - `accelerator`: kind of device.
    - `devices`: number of devices on each node.
    - `nodes`: number of nodes.
    - `precision`: floating-point format of the layers.
    - `sync_batch_norm`: whether batch norm in training takes the statistics of all processes, so
      that the loss is that of one process with the whole batch.
    - `compile`: compile the network in training with labels by `torch.compile`, at the first step
      in floats and at the first in integers.

    Several processes share the samples and average gradients (DistributedDataParallel). With a
    mixed `precision`, layers compute in 16 bits, except in quantization-aware epochs, where sums
    are exact.
    """

    accelerator: Literal["cpu", "gpu", "mps", "auto"] = "cpu"
    devices: int = Field(default=1, ge=1)
    nodes: int = Field(default=1, ge=1)
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
    sync_batch_norm: bool = True
    compile: bool = False

    @property
    def world_size(self) -> int:
        """Number of processes that train together."""
        return self.devices * self.nodes
