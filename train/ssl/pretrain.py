"""Self-supervised pretraining on videos; a killed run, once resumed, ends bit for bit the same."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning.pytorch as lightning
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from ...runtime.errors import RecipeError
from ..data.clips import ClipOptions, frame_indices, sample_clip_starts
from ..data.videos import VideoSource
from ..engine.checkpoint import build_network, read_weights, record_network, write_weights
from ..engine.run_folder import ENCODER_FILE, find_weights, lock_run, prepare_run
from ..engine.trainer import (
    EpochSampler,
    RunOptions,
    identity,
    run_trainer,
    seed_epoch,
)
from ..models import build_model
from ..nn.gradient_checkpointing import checkpoint_activations
from ..nn.network import SpikingNetwork
from .learner import SSLModule
from .momentum import momentum_schedule
from .prednext import temporal_consistency_error
from .recipe import PretrainRecipe
from .views import make_augmentation

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class PretrainedModel:
    """A network pretrained without labels (its read-out is untrained), recipe and provenance."""

    network: SpikingNetwork
    recipe: PretrainRecipe
    provenance: dict[str, Any]


def pretrain(
    recipe: PretrainRecipe,
    videos: VideoSource,
    folder: str | os.PathLike[str],
    resume: bool = False,
    progress: bool = False,
) -> PretrainedModel:
    """Pretrain the network of `recipe` on `videos` and write its weights to `folder`.

    With `resume`, a killed run continues and ends with the weights of a run never killed, momentum
    encoder and queue included.

    Raises:
        RecipeError: A batch is larger than the data.
        FileError: `folder` cannot be written, is used by another process or holds another run.
    """
    run = Path(folder)
    options = recipe.training
    step_size = options.batch_size * recipe.devices.world_size
    if len(videos.lengths) < step_size:
        raise RecipeError(
            f"training.batch_size = {options.batch_size}: there are {len(videos.lengths)} videos, "
            f"a step takes {step_size}; choose a smaller batch"
        )
    provenance = make_pretrain_provenance(recipe, videos)
    with lock_run(run):
        checkpoint = prepare_run(recipe, run, resume, ENCODER_FILE)
        torch.manual_seed(options.seed)
        encoder = build_encoder(recipe, provenance)
        provenance |= record_network(recipe.network, encoder)
        if options.compact_spikes:
            encoder.keep_spikes_as_bytes()
        learner = SSLModule(encoder, recipe.objective, recipe.prednext)
        module = PretrainingModule(recipe, learner)
        loader = make_clip_pair_loader(recipe, videos)
        run_options = RunOptions(run, options.epochs, checkpoint, progress, recipe.devices)
        with checkpoint_activations(encoder.layers, options.gradient_checkpointing):
            result = run_trainer(module, loader, run_options)
        pretrained = PretrainedModel(learner.encoder.cpu().eval(), recipe, provenance)
        if result.is_rank_zero:
            write_pretrained_model(run / ENCODER_FILE, pretrained)
    return pretrained


def make_pretrain_provenance(recipe: PretrainRecipe, videos: VideoSource) -> dict[str, Any]:
    """Collect recipe, description of the videos, seed and versions, as plain values."""
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
    """Build the untrained network of `recipe` for the videos that `provenance` describes."""
    data = provenance["data"]
    return build_model(recipe.network, tuple(data["shape"]), data["classes"], data["value_bits"])


def write_pretrained_model(path: str | os.PathLike[str], pretrained: PretrainedModel) -> None:
    """Write weights, recipe and provenance atomically; raises `FileError`."""
    write_weights(Path(path), pretrained.network, pretrained.recipe, pretrained.provenance)


def read_pretrained_model(path: str | os.PathLike[str]) -> PretrainedModel:
    """Read a pretrained model from its file or the folder of its run; raises `FileError`."""
    file = find_weights(path, ENCODER_FILE, "pretrain")
    return PretrainedModel(*read_weights(file, PretrainRecipe, build_network))


def make_clip_pair_loader(recipe: PretrainRecipe, videos: VideoSource) -> DataLoader[Batch]:
    """Create a loader of pairs of clips, in a new order and newly sampled every epoch."""
    options = recipe.training
    return DataLoader(
        ClipPairDataset(videos, recipe.clips, options.seed, recipe.needs_later_clip),
        options.batch_size,
        sampler=EpochVideoSampler(len(videos.lengths), options.seed),
        collate_fn=identity,
        drop_last=True,
        num_workers=options.num_workers,
        persistent_workers=options.num_workers > 0,
        generator=torch.Generator(),  # the global one would be drawn from at another time on resume
    )


class EpochVideoSampler(EpochSampler):
    """Indices that encode epoch and video: epoch * videos + video."""

    def __iter__(self) -> Iterator[int]:
        return iter([self.epoch * self.samples + video for video in super().__iter__()])


class ClipPairDataset(Dataset[Batch]):
    """A clip and a later one of the same video, sampled from the seed, the epoch and the video.

    Batches are uint8 (timesteps, samples, channels, height, width); without `later`, the second
    part is empty.
    """

    def __init__(self, videos: VideoSource, clips: ClipOptions, seed: int, later: bool):
        self.videos, self.clips, self.seed, self.later = videos, clips, seed, later

    def __len__(self) -> int:
        return len(self.videos.lengths)

    def __getitems__(self, indices: list[int]) -> Batch:
        now, later = [], []
        for index in indices:
            epoch, video = divmod(index, len(self))
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


class PretrainingModule(lightning.LightningModule):
    """One pretraining run: views, SSL module and optimizer."""

    def __init__(self, recipe: PretrainRecipe, learner: SSLModule):
        super().__init__()
        self.recipe = recipe
        self.ssl_module = learner
        encoder = learner.encoder
        self.augmentation = make_augmentation(recipe.views, encoder.input_shape, encoder.value_bits)

    def on_fit_start(self) -> None:
        """Synchronize batch norm between processes."""
        self.ssl_module.sync_batch_norm()

    def on_train_epoch_start(self) -> None:
        """Seed the epoch."""
        seed_epoch(self.recipe.training.seed, self.current_epoch)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Update the momentum encoder; compute and log the loss."""
        if self.global_step:
            steps = int(self.trainer.estimated_stepping_batches)
            momentum = momentum_schedule(self.recipe.objective.momentum, self.global_step, steps)
            self.ssl_module.update_momentum_encoder(momentum)
        losses, features = self.ssl_module(*self._make_view_pairs(*batch))
        loss = torch.stack(list(losses.values())).sum()
        metrics = {
            **losses,
            "loss": loss,
            "temporal_consistency_error": temporal_consistency_error(features),
            "feature_std": functional.normalize(features.mean(dim=0), dim=1).std(dim=0).mean(),
        }
        for name, value in metrics.items():
            self.log(name, value.detach(), on_step=False, on_epoch=True, prog_bar=name == "loss")
        return loss

    def _make_view_pairs(self, now: Tensor, later: Tensor) -> tuple[Tensor, Tensor | None]:
        """Two views of the clips, and of the later clips where clip prediction needs them."""
        if self.recipe.views.second == "later":
            return self._make_views(now, later), None
        return self._make_views(now, now), self._make_views(later, later) if later.numel() else None

    def _make_views(self, first: Tensor, second: Tensor) -> Tensor:
        views = self.augmentation(first.float()), self.augmentation(second.float())
        return torch.cat(views, dim=1)

    def configure_optimizers(self) -> Any:
        """AdamW, with a learning rate that anneals to 0 along half a cosine."""
        options = self.recipe.training
        parameters = [p for p in self.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(
            parameters, lr=options.lr, weight_decay=options.weight_decay, fused=True
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]
