"""Lightning callbacks and I/O of a run's folder: history of metrics, atomic checkpoints."""

import csv
import io
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ...runtime.files import atomic_write


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
        with atomic_write(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        """Load tensors and plain values alone."""
        checkpoint: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return checkpoint
