"""Pretraining without labels, on Lightning: a run that was killed and resumed ends the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ...runtime.errors import FileError, RecipeError
from ..data.clips import ClipOptions, frame_indices, sample_clip_starts
from ..data.videos import VideoSource
from ..engine.checkpoint import read_weights, write_weights
from ..engine.trainer import (
    EpochSampler,
    prepare_run,
    run_trainer,
    seed_epoch,
)
from ..models import build_model
from ..nn.network import SpikingNetwork
from .learner import SSLModule
from .momentum import momentum_schedule
from .prednext import temporal_consistency_error
from .recipe import PretrainRecipe
from .views import make_augmentation

ENCODER_FILE = "encoder.safetensors"
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class PretrainedModel:
    """A network that learned without labels (its read-out is untrained), recipe and provenance."""

    network: SpikingNetwork
    recipe: PretrainRecipe
    provenance: dict[str, Any]


def pretrain(
    recipe: PretrainRecipe,
    videos: VideoSource,
    folder: Path,
    resume: bool = False,
    progress: bool = False,
) -> PretrainedModel:
    """Pretrain `recipe` on `videos` and leave the network's weights in `folder`.

    With `resume` a run that was killed goes on, and ends with the weights of a run never killed,
    momentum copy and queue included. Raises `RecipeError` where a batch is larger than the data,
    and `FileError` where `folder` cannot be written or holds another run.
    """
    needed = recipe.training.batch_size * recipe.devices.devices * recipe.devices.nodes
    if len(videos.lengths) < needed:
        raise RecipeError(
            f"training.batch_size = {recipe.training.batch_size}: there are {len(videos.lengths)} videos, a step takes "
            f"{needed}; take a smaller batch"
        )
    provenance = make_pretrain_provenance(recipe, videos)
    start = prepare_run(recipe, folder, resume, ENCODER_FILE)
    torch.manual_seed(recipe.training.seed)
    learner = SSLModule(build_encoder(recipe, provenance), recipe.objective, recipe.prednext)
    module = PretrainingModule(recipe, learner)
    loader = make_clip_pair_loader(recipe, videos)
    first = run_trainer(
        module, loader, folder, recipe.training.epochs, start, progress, devices=recipe.devices
    )
    pretrained = PretrainedModel(learner.encoder.cpu().eval(), recipe, provenance)
    if first:
        write_pretrained_model(folder / ENCODER_FILE, pretrained)
    return pretrained


def make_pretrain_provenance(recipe: PretrainRecipe, videos: VideoSource) -> dict[str, Any]:
    """Return the provenance of a run of `recipe` on `videos`."""
    return {
        "recipe": recipe.model_dump(mode="json"),
        "data": {
            "name": recipe.data.name,
            "videos": len(videos.lengths),
            "shape": list(videos.shape),
            "value_bits": videos.value_bits,
            "classes": int(max((labels.max() for labels in videos.labels.values()), default=0)) + 1,
        },
        "seed": recipe.training.seed,
        "versions": {name: version(name) for name in ("pumice", "torch", "numpy")},
    }


def build_encoder(recipe: PretrainRecipe, provenance: dict[str, Any]) -> SpikingNetwork:
    """Return the untrained network of `recipe` for the videos that `provenance` describes."""
    data = provenance["data"]
    return build_model(recipe.network, tuple(data["shape"]), data["classes"], data["value_bits"])


def write_pretrained_model(path: Path, pretrained: PretrainedModel) -> None:
    """Write weights, recipe and provenance, whole or not at all; raises `FileError`."""
    write_weights(path, pretrained.network, pretrained.recipe, pretrained.provenance)


def read_pretrained_model(path: Path) -> PretrainedModel:
    """Read what `write_pretrained` wrote, from the file or the run's folder; raises `FileError`."""
    file = path / ENCODER_FILE if path.is_dir() else path
    if not file.is_file():
        raise FileError(f"{path}: holds no {ENCODER_FILE}; pretrain first, or name the file itself")
    return PretrainedModel(*read_weights(file, PretrainRecipe, build_encoder))


def make_clip_pair_loader(recipe: PretrainRecipe, videos: VideoSource) -> DataLoader[Batch]:
    """Return batches of clips and later clips, in a new order and cut anew every epoch."""
    return DataLoader(
        ClipPairDataset(
            videos, recipe.clips, recipe.training.seed, recipe.prednext.needs_later_clip
        ),
        recipe.training.batch_size,
        sampler=EpochVideoSampler(len(videos.lengths), recipe.training.seed),
        collate_fn=_identity,
        drop_last=True,
        num_workers=recipe.training.num_workers,
        persistent_workers=recipe.training.num_workers > 0,
        generator=torch.Generator(),  # or it draws from the global one, at another time on resume
    )


class EpochVideoSampler(EpochSampler):
    """Numbers that say both which video and in which epoch: epoch * videos + video."""

    def __iter__(self) -> Iterator[int]:
        return iter([self.epoch * self.samples + video for video in super().__iter__()])


class ClipPairDataset(Dataset[Batch]):
    """A clip and a later one of the same video, where the seed, the epoch and the video say.

    Batches are uint8 (timesteps, samples, channels, height, width); without `later`, that part is
    empty.
    """

    def __init__(self, videos: VideoSource, clips: ClipOptions, seed: int, later: bool):
        self.videos, self.clips, self.seed, self.later = videos, clips, seed, later

    def __len__(self) -> int:
        return len(self.videos.lengths)

    def __getitems__(self, draws: list[int]) -> Batch:
        now, later = [], []
        for draw in draws:
            epoch, video = divmod(draw, len(self))
            length = int(self.videos.lengths[video])
            generator = np.random.default_rng((self.seed, epoch, video))
            starts = sample_clip_starts(length, self.clips, generator)
            first, second = (frame_indices(start, self.clips, length) for start in starts)
            now.append(self.videos.clip(video, first))
            if self.later:
                later.append(self.videos.clip(video, second))
        return _stack_clips(now), _stack_clips(later)


def _stack_clips(clips: list[Any]) -> Tensor:
    return torch.from_numpy(np.stack(clips, axis=1)) if clips else torch.empty(0)


def _identity(batch: Any) -> Any:
    return batch


class PretrainingModule(lightning.LightningModule):
    """One run's pretraining: the learner, its views, its optimiser."""

    def __init__(self, recipe: PretrainRecipe, learner: SSLModule):
        super().__init__()
        self.recipe = recipe
        self.ssl_module = learner
        encoder = learner.encoder
        self.augmentation = make_augmentation(recipe.views, encoder.input_shape, encoder.value_bits)

    def on_fit_start(self) -> None:
        self.ssl_module.sync_batch_norm()

    def on_train_epoch_start(self) -> None:
        seed_epoch(self.recipe.training.seed, self.current_epoch)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        if self.global_step:
            steps = int(self.trainer.estimated_stepping_batches)
            momentum = momentum_schedule(self.recipe.objective.momentum, self.global_step, steps)
            self.ssl_module.update_momentum_encoder(momentum)
        now, later = batch
        parts, features = self.ssl_module(
            self._make_views(now), self._make_views(later) if later.numel() else None
        )
        loss = torch.stack(list(parts.values())).sum()
        spread = torch.nn.functional.normalize(features.mean(dim=0), dim=1).std(dim=0).mean()
        told = {
            **parts,
            "loss": loss,
            "temporal_consistency_error": temporal_consistency_error(features),
            "feature_std": spread,
        }
        for name, value in told.items():
            self.log(name, value.detach(), on_step=False, on_epoch=True, prog_bar=name == "loss")
        return loss

    def _make_views(self, clips: Tensor) -> Tensor:
        values = clips.float()
        return torch.cat([self.augmentation(values), self.augmentation(values)], dim=1)

    def configure_optimizers(self) -> Any:
        fit = self.recipe.training
        trained = [p for p in self.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(trained, lr=fit.lr, weight_decay=fit.weight_decay, fused=True)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        return [optimiser], [{"scheduler": schedule, "interval": "step"}]
