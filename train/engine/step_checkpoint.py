"""Checkpoints inside an epoch, from which a killed run continues with the next batch, bit for bit.

A checkpoint holds, besides weights and optimizer, the number of batches of the epoch, the state of
torch's random generators, and the sums of the metrics so far.
"""

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import torch
from torch import Tensor

from .run_folder import RESUME_FILE

SHOWN = ("loss", "accuracy", "error")  # metrics in the progress bar


class EpochMetrics(lightning.Callback):
    """Logs the epoch means of the `step_metrics` of the module; survives a resume in an epoch."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.steps = 0

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Begin anew."""
        self.sums, self.steps = {}, 0

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Add the metrics of a step."""
        self.steps += 1
        for name, value in pl_module.step_metrics.items():
            before = self.sums.get(name)
            self.sums[name] = value if before is None else before.to(value.device) + value

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Log the means."""
        for name, total in self.sums.items():
            pl_module.log(name, total / self.steps, prog_bar=name in SHOWN)

    def state_dict(self) -> dict[str, Any]:
        """State for the checkpoint."""
        return {"sums": dict(self.sums), "steps": self.steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state of a checkpoint."""
        self.sums, self.steps = dict(state_dict["sums"]), state_dict["steps"]


class StepCheckpoint(lightning.Callback):
    """Writes the state of the run inside an epoch, at most every few minutes.

    Not while gradients are accumulated. The end of an epoch overwrites the file.

    Args:
        folder: Folder of the run.
        minutes: Least time between two checkpoints; 0 writes one after every optimizer step.
    """

    def __init__(self, folder: Path, minutes: float):
        self.path, self.seconds = folder / RESUME_FILE, 60 * minutes
        self.last = time.monotonic()
        self.position = 0  # batches of the epoch before the checkpoint that is being written
        self.resumed: dict[str, Any] = {}

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """Restore what an epoch that was interrupted had begun with."""
        self.last = time.monotonic()
        state, self.resumed = self.resumed, {}
        if trainer.fit_loop.restarted_mid_epoch and state.get("position"):
            # Lightning hands the position to no loader that has not begun an epoch.
            trainer.train_dataloader.load_state_dict({"position": state["position"]})
            pl_module.begin_epoch()
            torch.set_rng_state(state["cpu"].cpu())
            if "device" in state and pl_module.device.type == "cuda":
                torch.cuda.set_rng_state(state["device"].cpu(), pl_module.device)

    def on_train_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Write a checkpoint where it is time."""
        done = batch_idx + 1
        due = time.monotonic() - self.last >= self.seconds
        if trainer.world_size > 1:
            due = bool(trainer.strategy.broadcast(due))
        whole = done % trainer.accumulate_grad_batches == 0
        if not (due and whole) or done >= trainer.num_training_batches:
            return
        self.position = done
        trainer.save_checkpoint(self.path, weights_only=False)
        self.position = 0
        self.last = time.monotonic()

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Count the time from the checkpoint of the epoch."""
        self.last = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """State for the checkpoint: the position, and torch's random generators."""
        state: dict[str, Any] = {"position": self.position, "cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            state["device"] = torch.cuda.get_rng_state()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the state of a checkpoint."""
        self.resumed = dict(state_dict)
