"""Lightning callbacks and I/O of a run's folder: history of metrics, atomic checkpoints."""

import csv
import io
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ...runtime.errors import DataError, FileError
from ...runtime.files import atomic_write
from ...runtime.input_file import open_input
from .run_folder import BEFORE_QAT_FILE, RESUME_FILE
from .sealing import find_not_finite, seal_checkpoint, unseal_checkpoint

PARTS = {
    "state_dict": dict, "optimizer_states": list, "lr_schedulers": list, "loops": dict,
    "callbacks": dict, "epoch": int, "global_step": int,
}  # fmt: skip
PROGRESS = ("epoch_progress", "epoch_loop.batch_progress")
STATES = ("state_dict", "optimizer_states")  # of a checkpoint
REMEDY = "delete it to train from the start"

# Number of the finished epoch (from 1), number of epochs, metrics, seconds.
EpochFunction = Callable[[int, int, Mapping[str, float], float], None]


class EpochReporter(lightning.Callback):
    """Calls a function after each epoch, in the first process."""

    def __init__(self, function: EpochFunction):
        self.function, self.start = function, 0.0

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Start the clock of an epoch that is resumed inside, whose start is not called again."""
        self.start = time.perf_counter()

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Start the clock."""
        self.start = time.perf_counter()

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Report the epoch."""
        if trainer.is_global_zero:
            metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
            seconds = time.perf_counter() - self.start
            self.function(trainer.current_epoch + 1, trainer.max_epochs or 0, metrics, seconds)


class QatCheckpoint(lightning.Callback):
    """Keeps the checkpoint of the epoch before `epoch`, from which a longer run continues."""

    def __init__(self, folder: Path, epoch: int):
        self.folder, self.epoch = folder, epoch

    def on_train_epoch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Keep the last checkpoint where quantization-aware training begins."""
        last = self.folder / RESUME_FILE
        if trainer.current_epoch == self.epoch and trainer.is_global_zero and last.exists():
            temporary = self.folder / f".{BEFORE_QAT_FILE}"
            temporary.unlink(missing_ok=True)
            shutil.copyfile(last, temporary)
            temporary.replace(self.folder / BEFORE_QAT_FILE)


class HistoryLogger(lightning.Callback):
    """Writes the epoch means of all logged metrics to `history.csv`; survives a resume."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.epochs: list[dict[str, float]] = []

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Append the epoch and rewrite the file."""
        means = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.epochs.append({"epoch": float(trainer.current_epoch), **means})
        if trainer.is_global_zero:
            names = dict.fromkeys(name for epoch in self.epochs for name in epoch)
            with (
                atomic_write(self.folder / "history.csv") as temporary,
                temporary.open("w", encoding="utf-8", newline="") as file,
            ):
                table = csv.DictWriter(file, list(names))
                table.writeheader()
                table.writerows(self.epochs)

    def state_dict(self) -> dict[str, Any]:
        """State for the checkpoint."""
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.epochs = state_dict["epochs"]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints written to a temporary name and renamed, and read without unpickling objects."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Serialize in memory, then write atomically; raises `FileError`."""
        buffer = io.BytesIO()  # torch's own writer hides the disk's error
        torch.save(checkpoint, buffer)
        content = seal_checkpoint(buffer.getvalue())
        with atomic_write(path) as temporary:
            temporary.write_bytes(content)

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Load tensors and plain values alone; raises `FileError` where they are not as written."""
        try:
            with open_input(path) as file:
                content = unseal_checkpoint(file.read())
            checkpoint: dict[str, Any] = torch.load(
                io.BytesIO(content), map_location=map_location, weights_only=True
            )
            _check_parts(checkpoint)
            broken = find_not_finite({key: checkpoint[key] for key in STATES})
        except DataError as error:
            raise FileError(str(error)) from None
        except FileError as error:
            raise FileError(f"{path}: {error}; {REMEDY}") from None
        except Exception as error:  # torch raises nearly every type on a damaged file
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise FileError(f"{path}: is no checkpoint ({reason}); {REMEDY}") from error
        if broken is not None:
            raise FileError(f"{path}: {broken} holds NaN or infinity; {REMEDY}")
        return checkpoint


def _check_parts(checkpoint: Any) -> None:
    """Raise `TypeError` or `KeyError` where a part is absent that Lightning would not miss."""
    for key, kind in PARTS.items():
        if not isinstance(checkpoint[key], kind):
            raise TypeError(f"its {key} is {type(checkpoint[key]).__name__}")
    for progress in PROGRESS:
        checkpoint["loops"]["fit_loop"][progress]["current"]
