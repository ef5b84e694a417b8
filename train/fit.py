"""The fit loop, on Lightning: a run that was killed and resumed ends with the same weights."""

import io
import json
import logging
import platform
import signal
import threading
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ..runtime.errors import FileError, RecipeError
from ..runtime.files import written
from .augment import shifted
from .checkpoint import NAME, Trained, built, write_trained
from .data import Data, FrameSet
from .layers import Layer
from .networks import SpikingNetwork
from .objectives.catalogue import head, losses
from .recipe import Recipe

RESUMABLE = "last.ckpt"
Batch = tuple[Tensor, Tensor]


def fit(
    recipe: Recipe, data: Data, folder: Path, resume: bool = False, progress: bool = False
) -> Trained:
    """Train `recipe` on the training part of `data` and leave the weights in `folder`.

    After every epoch `last.ckpt` holds all that a killed run needs; with `resume` the run goes on
    from there and ends with the weights, bit for bit, of a run never killed. Raises `RecipeError`
    where the batch is larger than the data, and `FileError` where `folder` cannot be written, or
    holds a run that neither was asked to resume nor may be mixed with this recipe.
    """
    if len(data.train) < recipe.fit.batch:
        raise RecipeError(
            f"fit.batch = {recipe.fit.batch}: {data.name} has {len(data.train)} training samples; "
            "take a smaller batch"
        )
    provenance = described(recipe, data)
    start = _start(recipe, folder, resume)
    torch.manual_seed(recipe.fit.seed)
    module = Fitting(recipe, built(recipe, provenance), folder)
    dataset = Clips(data.train)
    sampler = Shuffled(len(dataset), recipe.fit.seed)
    loader: DataLoader[Batch] = DataLoader(
        dataset,
        recipe.fit.batch,
        sampler=sampler,
        collate_fn=_as_given,
        drop_last=True,
        generator=torch.Generator(),  # or it draws from the global one, at another time on resume
    )
    with _quiet():
        trainer = lightning.Trainer(
            max_epochs=recipe.fit.epochs,
            accelerator="cpu",
            logger=False,
            callbacks=_callbacks(folder, progress),
            enable_progress_bar=progress,
            enable_model_summary=False,
            plugins=[WholeFiles()],
            deterministic=True,
        )
        _run(trainer, module, loader, start)
    trained = Trained(module.network.eval(), recipe, provenance)
    write_trained(folder / NAME, trained)
    return trained


def _run(
    trainer: lightning.Trainer, module: "Fitting", loader: DataLoader[Batch], start: str | None
) -> None:
    """Train; an interrupt stays one, though Lightning turns it into an exit with status 1."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, loader, ckpt_path=start, weights_only=True)
    except SystemExit:
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


def described(recipe: Recipe, data: Data) -> dict[str, Any]:
    """Return the provenance of a run of `recipe` on `data`."""
    frames = data.train.frames
    bits = int(max(frames.max(), data.test.frames.max())).bit_length()
    return {
        "recipe": recipe.model_dump(mode="json"),
        "data": {
            "name": data.name,
            "digest": data.digest,
            "shape": list(frames.shape[2:]),
            "timesteps": frames.shape[1],
            "classes": data.classes,
            "value_bits": 1 if bits <= 1 else 8,
            **data.provenance,
        },
        "seed": recipe.fit.seed,
        "versions": {name: version(name) for name in ("pumice", "torch", "numpy")},
        "python": platform.python_version(),
    }


def _start(recipe: Recipe, folder: Path, resume: bool) -> str | None:
    """Return the checkpoint to go on from, after checking that `folder` is this recipe's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder}: cannot be made: {error.strerror}") from error
    noted = folder / "recipe.json"
    text = json.dumps(recipe.model_dump(mode="json"), indent=2, sort_keys=True)
    checkpoint = folder / RESUMABLE
    if checkpoint.exists() or (folder / NAME).exists():
        if not resume:
            raise FileError(f"{folder}: holds a run already; go on with --resume, or name another")
        if not noted.exists() or noted.read_text(encoding="utf-8") != text:
            raise FileError(f"{folder}: holds a run of another recipe; name another folder")
    with written(noted) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return str(checkpoint) if checkpoint.exists() else None


class Clips(Dataset[Batch]):
    """Frames (samples, timesteps, ...) as batches (timesteps, batch, ...), taken at once."""

    def __init__(self, frames: FrameSet):
        self.frames = torch.from_numpy(frames.frames.copy())
        self.labels = torch.from_numpy(frames.labels.copy())

    def __len__(self) -> int:
        return len(self.labels)

    def __getitems__(self, indices: list[int]) -> Batch:
        chosen = torch.tensor(indices)
        return self.frames[chosen].transpose(0, 1).float(), self.labels[chosen]


class Shuffled(Sampler[int]):
    """A new order every epoch, decided by the seed and the epoch alone."""

    def __init__(self, samples: int, seed: int):
        self.samples, self.seed, self.epoch = samples, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes; Lightning calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.samples

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.samples)
        return iter(order.tolist())


class Fitting(lightning.LightningModule):
    """One run's training: the network, its loss, its optimiser, and what each epoch gave."""

    def __init__(self, recipe: Recipe, network: SpikingNetwork, folder: Path):
        super().__init__()
        self.recipe = recipe
        self.network = network
        readout = network.layers[-1]
        assert isinstance(readout, Layer)
        self.head = head(recipe.objective, readout.linear.weight.shape[1])
        self.folder = folder
        self.history: list[dict[str, float]] = []
        self._sums: dict[str, float] = {}

    def on_train_epoch_start(self) -> None:
        fit = self.recipe.fit
        torch.manual_seed(hash((fit.seed, self.current_epoch)) % 2**32)
        self.network.quantise(self.current_epoch >= fit.epochs - fit.quantised_epochs)
        self._sums = {}

    def training_step(self, batch: Batch, index: int) -> Tensor:
        clips, labels = batch
        objective = self.recipe.objective
        views = [shifted(clips, self.recipe.augment.shift) for _ in range(objective.views)]
        labels = labels.repeat(objective.views)
        features = self.network.features(torch.cat(views, dim=1))
        logits = self.network.answer(features)
        parts = losses(objective, logits, labels, self.head(features.flatten(2)))
        loss = torch.stack(list(parts.values())).sum()
        right = (logits.detach().sum(dim=0).argmax(dim=-1) == labels).float().mean()
        for name, value in {**parts, "loss": loss, "accuracy": right}.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value.detach())
        self.log_dict({"loss": loss.detach(), "accuracy": right}, prog_bar=True)
        return loss

    def on_train_epoch_end(self) -> None:
        batches = max(int(self.trainer.num_training_batches), 1)
        means = {name: total / batches for name, total in self._sums.items()}
        self.history.append({"epoch": float(self.current_epoch), **means})
        with written(self.folder / "history.json") as temporary:
            temporary.write_text(json.dumps(self.history, indent=1), encoding="utf-8")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = checkpoint["history"]

    def configure_optimizers(self) -> Any:
        fit = self.recipe.fit
        optimiser = torch.optim.AdamW(
            self.parameters(), lr=fit.learning_rate, weight_decay=fit.weight_decay, fused=True
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, fit.learning_rate, int(self.trainer.estimated_stepping_batches)
        )
        return [optimiser], [{"scheduler": schedule, "interval": "step"}]


class WholeFiles(TorchCheckpointIO):
    """Checkpoints written whole or not at all, and read without unpickling objects."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        whole = io.BytesIO()  # torch's own writer hides what the disk said
        torch.save(checkpoint, whole)
        with written(path) as temporary:
            temporary.write_bytes(whole.getbuffer())

    def load_checkpoint(
        self, path: Any, map_location: Any = None, weights_only: bool | None = True
    ) -> dict[str, Any]:
        loaded: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return loaded


def _callbacks(folder: Path, progress: bool) -> list[lightning.Callback]:
    last = ModelCheckpoint(
        folder, Path(RESUMABLE).stem, save_top_k=1, every_n_epochs=1, enable_version_counter=False
    )
    return [last, RichProgressBar()] if progress else [last]


def _as_given(batch: Any) -> Any:
    return batch


class _quiet(warnings.catch_warnings):
    """Keep Lightning's advice on loaders, loggers and devices from a user who cannot act on it."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.filterwarnings("ignore", module="lightning")
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
