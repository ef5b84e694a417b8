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

from ..runtime.errors import FileError, RecipeError
from .architectures import network_of
from .checkpoint import read_weights, write_weights
from .data.clips import ClipOptions, drawn_starts, positions
from .data.videos import VideoSource
from .loop import Shuffled, run, seed_epoch, started
from .networks import SpikingNetwork
from .pretrain_recipe import PretrainRecipe
from .selfsupervised.learner import Learner
from .selfsupervised.momentum import rising
from .selfsupervised.prednext import inconsistency
from .selfsupervised.views import variation

NAME = "encoder.safetensors"
Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Pretrained:
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
) -> Pretrained:
    """Pretrain `recipe` on `videos` and leave the network's weights in `folder`.

    With `resume` a run that was killed goes on, and ends with the weights of a run never killed,
    momentum copy and queue included. Raises `RecipeError` where a batch is larger than the data,
    and `FileError` where `folder` cannot be written or holds another run.
    """
    needed = recipe.fit.batch * recipe.devices.devices * recipe.devices.nodes
    if len(videos.lengths) < needed:
        raise RecipeError(
            f"fit.batch = {recipe.fit.batch}: there are {len(videos.lengths)} videos, a step takes "
            f"{needed}; take a smaller batch"
        )
    provenance = described(recipe, videos)
    start = started(recipe, folder, resume, NAME)
    torch.manual_seed(recipe.fit.seed)
    learner = Learner(built(recipe, provenance), recipe.objective, recipe.prednext)
    module = Pretraining(recipe, learner)
    loader = clip_pairs(recipe, videos)
    first = run(module, loader, folder, recipe.fit.epochs, start, progress, devices=recipe.devices)
    pretrained = Pretrained(learner.encoder.cpu().eval(), recipe, provenance)
    if first:
        write_pretrained(folder / NAME, pretrained)
    return pretrained


def described(recipe: PretrainRecipe, videos: VideoSource) -> dict[str, Any]:
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
        "seed": recipe.fit.seed,
        "versions": {name: version(name) for name in ("pumice", "torch", "numpy")},
    }


def built(recipe: PretrainRecipe, provenance: dict[str, Any]) -> SpikingNetwork:
    """Return the untrained network of `recipe` for the videos that `provenance` describes."""
    data = provenance["data"]
    return network_of(recipe.network, tuple(data["shape"]), data["classes"], data["value_bits"])


def write_pretrained(path: Path, pretrained: Pretrained) -> None:
    """Write weights, recipe and provenance, whole or not at all; raises `FileError`."""
    write_weights(path, pretrained.network, pretrained.recipe, pretrained.provenance)


def read_pretrained(path: Path) -> Pretrained:
    """Read what `write_pretrained` wrote, from the file or the run's folder; raises `FileError`."""
    file = path / NAME if path.is_dir() else path
    if not file.is_file():
        raise FileError(f"{path}: holds no {NAME}; pretrain first, or name the file itself")
    return Pretrained(*read_weights(file, PretrainRecipe, built))


def clip_pairs(recipe: PretrainRecipe, videos: VideoSource) -> DataLoader[Batch]:
    """Return batches of clips and later clips, in a new order and cut anew every epoch."""
    return DataLoader(
        ClipPairs(videos, recipe.clips, recipe.fit.seed, recipe.prednext.later),
        recipe.fit.batch,
        sampler=Draws(len(videos.lengths), recipe.fit.seed),
        collate_fn=_as_given,
        drop_last=True,
        num_workers=recipe.fit.workers,
        persistent_workers=recipe.fit.workers > 0,
        generator=torch.Generator(),  # or it draws from the global one, at another time on resume
    )


class Draws(Shuffled):
    """Numbers that say both which video and in which epoch: epoch * videos + video."""

    def __iter__(self) -> Iterator[int]:
        return iter([self.epoch * self.samples + video for video in super().__iter__()])


class ClipPairs(Dataset[Batch]):
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
            starts = drawn_starts(length, self.clips, generator)
            first, second = (positions(start, self.clips, length) for start in starts)
            now.append(self.videos.clip(video, first))
            if self.later:
                later.append(self.videos.clip(video, second))
        return _stacked(now), _stacked(later)


def _stacked(clips: list[Any]) -> Tensor:
    return torch.from_numpy(np.stack(clips, axis=1)) if clips else torch.empty(0)


def _as_given(batch: Any) -> Any:
    return batch


class Pretraining(lightning.LightningModule):
    """One run's pretraining: the learner, its views, its optimiser."""

    def __init__(self, recipe: PretrainRecipe, learner: Learner):
        super().__init__()
        self.recipe = recipe
        self.learner = learner
        encoder = learner.encoder
        self.vary = variation(recipe.views, encoder.input_shape, encoder.value_bits)

    def on_fit_start(self) -> None:
        self.learner.share_statistics()

    def on_train_epoch_start(self) -> None:
        seed_epoch(self.recipe.fit.seed, self.current_epoch)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        if self.global_step:
            steps = int(self.trainer.estimated_stepping_batches)
            momentum = rising(self.recipe.objective.momentum, self.global_step, steps)
            self.learner.follow(momentum)
        now, later = batch
        parts, features = self.learner(
            self._views(now), self._views(later) if later.numel() else None
        )
        loss = torch.stack(list(parts.values())).sum()
        spread = torch.nn.functional.normalize(features.mean(dim=0), dim=1).std(dim=0).mean()
        told = {**parts, "loss": loss, "inconsistency": inconsistency(features), "spread": spread}
        for name, value in told.items():
            self.log(name, value.detach(), on_step=False, on_epoch=True, prog_bar=name == "loss")
        return loss

    def _views(self, clips: Tensor) -> Tensor:
        values = clips.float()
        return torch.cat([self.vary(values), self.vary(values)], dim=1)

    def configure_optimizers(self) -> Any:
        fit = self.recipe.fit
        trained = [p for p in self.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(
            trained, lr=fit.learning_rate, weight_decay=fit.weight_decay, fused=True
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        return [optimiser], [{"scheduler": schedule, "interval": "step"}]
