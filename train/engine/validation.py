"""Validation after each epoch: model selection, and an early end of the run."""

from typing import Any

import lightning.pytorch as lightning
from torch import Tensor

from ..data import FrameSet
from ..evaluation.evaluate import model_accuracy, model_errors
from .averaging import WeightAveraging
from .training_config import TrainingOptions
from .training_module import TrainingModule


class ValidationCallback(lightning.Callback):
    """Validation accuracy at the last timestep after each epoch, and model selection by it.

    Averaged weights are evaluated where there are any. Keeps the `weights` of the best epoch where
    the recipe selects by it, the latest of ties; survives a resume.
    """

    def __init__(
        self,
        options: TrainingOptions,
        validation: FrameSet,
        averaging: WeightAveraging | None = None,
    ):
        self.options, self.validation, self.averaging = options, validation, averaging
        self.last = 0.0
        self.accuracy: float | None = None
        self.weights: dict[str, Tensor] = {}

    def on_train_epoch_end(self, trainer: Any, pl_module: lightning.LightningModule) -> None:
        """Log the accuracy and keep the weights of the best epoch."""
        assert isinstance(pl_module, TrainingModule)
        network, options = pl_module.network, self.options
        quantized = trainer.current_epoch >= options.epochs - options.qat_epochs
        if self.averaging and self.averaging.started:
            network = self.averaging.network
        accuracy = self._measure(network, quantized, pl_module)
        self.last = accuracy
        eligible = options.select_epoch == "validation" and (quantized or not options.qat_epochs)
        if eligible and (self.accuracy is None or accuracy >= self.accuracy):
            self.accuracy = accuracy
            self.weights = {k: v.detach().clone() for k, v in network.state_dict().items()}

    def _measure(self, network: Any, quantized: bool, pl_module: TrainingModule) -> float:
        """Log and return the accuracy; of a regression log the error, and return its negative."""
        if network.readout.task == "classification":
            accuracy = float(model_accuracy(network, self.validation, quantized)[-1])
            pl_module.log("validation_accuracy", accuracy)
            return accuracy
        error = float(model_errors(network, self.validation, quantized).rmse[-1])
        pl_module.log("validation_error", error)
        return -error

    def state_dict(self) -> dict[str, Any]:
        """State for the checkpoint."""
        return {"accuracy": self.accuracy, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.accuracy, self.weights = state_dict["accuracy"], state_dict["weights"]


class EarlyStopping(lightning.Callback):
    """Ends the run after `patience` epochs without a better validation accuracy.

    Counts among the quantization-aware epochs where there are any; survives a resume.
    """

    def __init__(self, options: TrainingOptions, validation: ValidationCallback):
        self.options, self.validation = options, validation
        self.best: float | None = None
        self.waited = 0

    def on_train_start(self, trainer: Any, pl_module: lightning.LightningModule) -> None:
        """Train no further where the run that is resumed had ended."""
        trainer.should_stop = self.waited >= self.options.patience

    def on_train_epoch_end(self, trainer: Any, pl_module: lightning.LightningModule) -> None:
        """Compare with the best epoch; runs after the validation."""
        first = self.options.epochs - self.options.qat_epochs if self.options.qat_epochs else 0
        if trainer.current_epoch < first:
            return
        accuracy = self.validation.last
        better = self.best is None or accuracy > self.best
        self.waited = 0 if better else self.waited + 1
        self.best = accuracy if better else self.best
        if self.waited >= self.options.patience:
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """State for the checkpoint."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.best, self.waited = state_dict["best"], state_dict["waited"]
