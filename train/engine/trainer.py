"""What training runs share, on Lightning: killed and resumed, a run ends the same, bit for bit.

A run lives in a folder: `recipe.json` says whose it is, `last.ckpt` holds after every epoch all
that a killed run needs, `history.csv` what each epoch gave.
"""

import json
import logging
import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from pydantic import BaseModel
from torch.utils.data import DataLoader, Dataset, Sampler

from ...runtime.errors import FileError, RecipeError
from ...runtime.files import atomic_write
from .callbacks import AtomicCheckpointIO, HistoryLogger
from .training_config import DeviceOptions

RESUME_FILE = "last.ckpt"


def prepare_run(recipe: BaseModel, folder: Path, resume: bool, finished: str) -> str | None:
    """Return the checkpoint in `folder` to go on from, none at the start, and note the recipe.

    `finished` is the file that a whole run leaves. Raises `FileError` where the folder cannot be
    written, or holds a run that neither was asked to resume nor may be mixed with this recipe.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be made: {error.strerror}") from error
    noted = folder / "recipe.json"
    text = json.dumps(recipe.model_dump(mode="json"), indent=2, sort_keys=True)
    checkpoint = folder / RESUME_FILE
    if checkpoint.exists() or (folder / finished).exists():
        if not resume:
            raise FileError(f"{folder}: holds a run already; go on with --resume, or name another")
        if not noted.exists() or noted.read_text(encoding="utf-8") != text:
            raise FileError(f"{folder}: holds a run of another recipe; name another folder")
    with atomic_write(noted) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return str(checkpoint) if checkpoint.exists() else None


def make_loader(dataset: Dataset[Any], batch_size: int, seed: int) -> DataLoader[Any]:
    """Return the batches of `dataset` in a new order every epoch; the odd rest is left out.

    `dataset` has a length and gives a whole batch at once, as `__getitems__(indices)`.
    """
    return DataLoader(
        dataset,
        batch_size,
        sampler=EpochSampler(len(dataset), seed),  # type: ignore[arg-type]
        collate_fn=_identity,
        drop_last=True,
        generator=torch.Generator(),  # or it draws from the global one, at another time on resume
    )


def seed_epoch(seed: int, epoch: int) -> None:
    """Let all of torch's draws of an epoch depend on the seed and the epoch alone.

    Call it in `on_train_epoch_start`: a resumed run then draws what an unbroken one does. Of
    several processes each draws its own.
    """
    rank, _ = rank_and_world_size()
    torch.manual_seed(hash((seed, epoch, rank) if rank else (seed, epoch)) % 2**32)


def run_trainer(
    module: lightning.LightningModule,
    loader: DataLoader[Any],
    folder: Path,
    epochs: int,
    start: str | None,
    progress: bool = False,
    devices: DeviceOptions = DeviceOptions(),  # noqa: B008 (frozen)
    accumulate_grad_batches: int = 1,
    tensorboard: bool = False,
    callbacks: Sequence[lightning.Callback] = (),
) -> bool:
    """Train `module` on what `loader` gives, from the checkpoint `start` that `started` gave.

    What `module` logs with `on_epoch=True` goes into the history, and to TensorBoard where that is
    asked for. Return whether this process is the first of all, which writes the files. An interrupt
    stays one, though Lightning turns it into an exit with status 1. Raises `FileError` where the
    disk is full, and `RecipeError` where there are no such devices.
    """
    handler = signal.getsignal(signal.SIGINT)
    with _QuietLightning():
        called = [*callbacks, *_default_callbacks(folder, progress)]
        logger = TensorBoardLogger(folder, name="", version="tensorboard") if tensorboard else False
        trainer = _make_trainer(epochs, devices, accumulate_grad_batches, called, logger)
        try:
            trainer.fit(module, loader, ckpt_path=start, weights_only=True)
        except SystemExit:
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, handler)
    return bool(trainer.is_global_zero)


def _make_trainer(
    epochs: int,
    devices: DeviceOptions,
    accumulate: int,
    callbacks: list[lightning.Callback],
    logger: TensorBoardLogger | bool,
) -> lightning.Trainer:
    several = devices.devices * devices.nodes > 1
    try:
        return lightning.Trainer(
            max_epochs=epochs,
            accelerator=devices.accelerator,
            devices=devices.devices,
            num_nodes=devices.nodes,
            strategy="ddp" if several else "auto",
            precision=devices.precision,
            accumulate_grad_batches=accumulate,
            logger=logger,
            callbacks=callbacks,
            enable_progress_bar=any(isinstance(each, RichProgressBar) for each in callbacks),
            enable_model_summary=False,
            plugins=[AtomicCheckpointIO()],
            deterministic=True,
            use_distributed_sampler=False,
        )
    except (MisconfigurationException, RuntimeError, ValueError) as error:
        raise RecipeError(f"devices: {str(error).splitlines()[0]}") from error


class EpochSampler(Sampler[int]):
    """A new order every epoch, decided by the seed and the epoch alone.

    Of several processes that train together each takes its share of it.
    """

    def __init__(self, samples: int, seed: int):
        self.samples, self.seed, self.epoch = samples, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes; Lightning calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.samples // rank_and_world_size()[1]

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.samples)
        rank, number = rank_and_world_size()
        return iter(order[rank::number][: len(self)].tolist())


def rank_and_world_size() -> tuple[int, int]:
    """Return which process this is, counted from 0, and how many train together."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1


def _default_callbacks(folder: Path, progress: bool) -> list[lightning.Callback]:
    last = ModelCheckpoint(
        folder, Path(RESUME_FILE).stem, save_top_k=1, every_n_epochs=1, enable_version_counter=False
    )
    return [HistoryLogger(folder), last, *([RichProgressBar()] if progress else [])]


def _identity(batch: Any) -> Any:
    return batch


class _QuietLightning(warnings.catch_warnings):
    """Keep Lightning's advice on loaders, loggers and devices from a user who cannot act on it."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.filterwarnings("ignore", module="lightning")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
