"""Training runs on Lightning; a run that is killed and resumed ends bit for bit the same.

A run has a folder (`run_folder`); its `history.csv` holds the metrics of each epoch.
"""

import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import (
    ModelCheckpoint,
    ProgressBar,
    RichProgressBar,
    TQDMProgressBar,
)
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader, Dataset, Sampler

from ...runtime.errors import FileError, PumiceError, RecipeError
from ..data.reading import as_many_workers_as_asked
from .callbacks import REMEDY, AtomicCheckpointIO, EpochFunction, EpochReporter, HistoryLogger
from .processes import rank_and_world_size
from .run_folder import RESUME_FILE
from .training_config import DeviceOptions


@dataclass(frozen=True)
class RunOptions:
    """A run's folder, length and hardware.

    `checkpoint` is the one to resume from; `on_epoch` is called after each epoch; gradients are
    scaled down to the norm `clip_gradient`, if it is not 0.
    """

    folder: Path
    epochs: int
    checkpoint: str | None = None
    progress: bool = False
    devices: DeviceOptions = DeviceOptions()
    accumulate_grad_batches: int = 1
    tensorboard: bool = False
    on_epoch: EpochFunction | None = None
    clip_gradient: float = 0.0


@dataclass(frozen=True)
class RunResult:
    """Metrics of each epoch; `is_rank_zero` in the one process that writes the files."""

    is_rank_zero: bool
    history: list[dict[str, float]]


def make_loader(
    dataset: Dataset[Any], batch_size: int, seed: int, workers: int = 0
) -> DataLoader[Any]:
    """Create a loader that reshuffles `dataset` every epoch and drops the last partial batch.

    `dataset` has a length and returns a whole batch, or the error of reading it, from
    `__getitems__(indices)`. The batches are the same for any number of `workers`, the processes
    that read ahead.
    """
    with as_many_workers_as_asked():
        return BatchLoader(
            dataset,
            batch_size,
            sampler=EpochSampler(len(dataset), seed),  # type: ignore[arg-type]
            collate_fn=identity,
            drop_last=True,
            num_workers=workers,
            generator=torch.Generator(),  # the global one is drawn from at other times on resume
        )


class BatchLoader(DataLoader[Any]):
    """A `DataLoader` that raises an error of reading a batch in the process that asked for it."""

    _start = 0  # batches to skip in the next epoch

    def state_dict(self) -> dict[str, int]:
        """State for a checkpoint; the position in an epoch is that of `StepCheckpoint`."""
        return {"position": 0}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Begin the next epoch behind the first batches, as many as `position`."""
        self._start = state_dict["position"]

    def __iter__(self) -> Any:
        """Iterate over the batches; the order of the samples is drawn at the first of them."""
        start, self._start = self._start, 0
        if isinstance(self.sampler, EpochSampler):
            self.sampler.start = start * (self.batch_size or 1)
        with as_many_workers_as_asked():
            batches = super().__iter__()
        for batch in batches:
            if isinstance(batch, PumiceError):
                raise batch
            yield batch


def seed_epoch(seed: int, epoch: int) -> None:
    """Seed torch's global generator from the seed, the epoch and the rank alone.

    Call it in `on_train_epoch_start`, so that a resumed run draws what an unbroken one does.
    """
    rank, _ = rank_and_world_size()
    torch.manual_seed(hash((seed, epoch, rank) if rank else (seed, epoch)) % 2**32)


def run_trainer(
    module: lightning.LightningModule,
    loader: DataLoader[Any],
    options: RunOptions,
    callbacks: Sequence[lightning.Callback] = (),
) -> RunResult:
    """Fit `module` to the batches of `loader`.

    Metrics that `module` logs with `on_epoch=True` go into the history. A keyboard interrupt is
    raised as such, though Lightning turns it into an exit with status 1. Raises `FileError` where
    the disk is full or the checkpoint is damaged, and `RecipeError` where the devices do not exist.
    """
    handler = signal.getsignal(signal.SIGINT)
    with _QuietLightning():
        history, started = HistoryLogger(options.folder), _StartMarker()
        trainer = _make_trainer(
            options, [*callbacks, history, started, *_default_callbacks(options)]
        )
        try:
            trainer.fit(module, loader, ckpt_path=options.checkpoint, weights_only=True)
        except SystemExit as error:
            if trainer.interrupted and error.code == 1:
                raise KeyboardInterrupt from None
            raise
        except PumiceError:
            raise
        except Exception as error:
            if options.checkpoint is None or started.has_started:
                raise
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise FileError(
                f"{options.checkpoint}: is no state of this run ({reason}); {REMEDY}"
            ) from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, handler)
    return RunResult(bool(trainer.is_global_zero), history.epochs)


class _StartMarker(lightning.Callback):
    """Notes that the state of a checkpoint was restored and training begins."""

    has_started = False

    def on_train_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule
    ) -> None:
        """Note the start."""
        self.has_started = True


def _make_trainer(options: RunOptions, callbacks: list[lightning.Callback]) -> lightning.Trainer:
    devices = options.devices
    logger = (
        False
        if not options.tensorboard
        else TensorBoardLogger(options.folder, name="", version="tensorboard")
    )
    try:
        return lightning.Trainer(
            max_epochs=options.epochs,
            accelerator=devices.accelerator,
            devices=devices.devices,
            num_nodes=devices.nodes,
            strategy="ddp" if devices.world_size > 1 else "auto",
            precision=devices.precision,
            accumulate_grad_batches=options.accumulate_grad_batches,
            gradient_clip_val=options.clip_gradient or None,
            logger=logger,
            callbacks=callbacks,
            enable_progress_bar=options.progress,
            enable_model_summary=False,
            plugins=[AtomicCheckpointIO()],
            deterministic=True,
            use_distributed_sampler=False,
        )
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise RecipeError(f"devices: {str(error).splitlines()[0]}") from error


class EpochSampler(Sampler[int]):
    """A permutation per epoch, from the seed and the epoch alone; each process takes its part."""

    def __init__(self, samples: int, seed: int):
        self.samples, self.seed, self.epoch = samples, seed, 0
        self.start = 0  # samples of this process to skip in the next epoch

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; Lightning calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.samples // rank_and_world_size()[1]

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.samples)
        rank, world_size = rank_and_world_size()
        start, self.start = self.start, 0
        return iter(order[rank::world_size][start : len(self)].tolist())


def identity(batch: Any) -> Any:
    """Collate function of datasets that return whole batches."""
    return batch


def _default_callbacks(options: RunOptions) -> list[lightning.Callback]:
    checkpoint = ModelCheckpoint(
        options.folder,
        Path(RESUME_FILE).stem,
        save_top_k=1,
        every_n_epochs=1,
        enable_version_counter=False,
    )
    reporters = [EpochReporter(options.on_epoch)] if options.on_epoch else []
    return [*reporters, checkpoint, *([_progress_bar()] if options.progress else [])]


def _progress_bar() -> ProgressBar:
    if "ipykernel" in sys.modules:  # a notebook
        return TQDMProgressBar()
    return RichProgressBar(console_kwargs={"stderr": True})


class _QuietLightning(warnings.catch_warnings):
    """Silence Lightning's advice on loaders, loggers and devices."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.filterwarnings("ignore", module="lightning")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
