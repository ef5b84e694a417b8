"""What a run leaves in its folder as it goes: what each epoch gave, and whole checkpoints."""

import csv
import io
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ...runtime.files import atomic_write


class HistoryLogger(lightning.Callback):
    """The means of what was logged in each epoch, in `history.csv` and across a resume."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.epochs: list[dict[str, float]] = []

    def on_train_epoch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
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
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epochs = state_dict["epochs"]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints written whole or not at all, and read without unpickling objects."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        whole = io.BytesIO()  # torch's own writer hides what the disk said
        torch.save(checkpoint, whole)
        with atomic_write(path) as temporary:
            temporary.write_bytes(whole.getbuffer())

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        loaded: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return loaded
