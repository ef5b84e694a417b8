"""Features of videos at each timestep: from a network, or the pixels as a baseline."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.clips import ClipOptions, frame_indices, uniform_clip_starts
from ..data.videos import VideoSource
from ..engine.processes import share
from ..nn.network import SpikingNetwork
from .representation_metrics import Vectors as Vectors
from .representation_metrics import consistency_error_per_step


@dataclass(frozen=True, eq=False)
class Features:
    """Features of videos.

    Attributes:
        steps: Input of the read-out at each step, mean over a video's clips, float32 (videos,
            timesteps, width).
        consistency_errors: Temporal consistency error of each step, mean over a video's clips,
            float64 (videos, timesteps).
        labels: int64 (videos,) for each kind of label.
    """

    steps: Vectors
    consistency_errors: NDArray[np.float64]
    labels: Mapping[str, NDArray[np.int64]]

    @property
    def mean(self) -> Vectors:
        """Mean over steps, (videos, width)."""
        mean: Vectors = self.steps.mean(axis=1)
        return mean

    @property
    def concatenated(self) -> Vectors:
        """Concatenated steps, (videos, timesteps * width)."""
        return self.steps.reshape(len(self.steps), -1)


FEATURE_KINDS = ("mean", "concatenated")


@torch.no_grad()
def extract_features(
    network: SpikingNetwork,
    videos: VideoSource,
    options: ClipOptions,
    clips: int = 1,
    batch_size: int = 128,
) -> Features:
    """Extract the features of all `videos`, from `clips` clips uniformly spread over each.

    Sets the network to evaluation mode; it computes in floats or, if quantized, in integers.
    Processes that work together share the videos.
    """
    network.eval()
    device = next(network.parameters()).device

    def extract(chosen: NDArray[np.int64] | None) -> Features:
        batches = iter_clips(videos, options, clips, batch_size, chosen)
        features = (network.features(batch.to(device)).flatten(2).cpu() for batch in batches)
        return _collect_features(features, clips, videos)

    parts = share(extract, len(videos.lengths))
    steps = np.concatenate([part.steps for part in parts])
    errors = np.concatenate([part.consistency_errors for part in parts])
    return Features(steps, errors, videos.labels)


def pixel_features(videos: VideoSource, options: ClipOptions, clips: int = 1) -> Features:
    """Pixels of the same clips as features, a baseline."""
    return _collect_features(
        (each.flatten(2) for each in iter_clips(videos, options, clips)), clips, videos
    )


def iter_clips(
    videos: VideoSource,
    options: ClipOptions,
    clips: int = 1,
    batch_size: int = 128,
    chosen: NDArray[np.int64] | None = None,
) -> Iterator[Tensor]:
    """Iterate over clips, `clips` of each video and `batch_size` videos at once.

    float32 (timesteps, batch_size * clips, *shape); the clips of a video are adjacent. `chosen`
    holds the indices of the videos, by default all.
    """
    indices = np.arange(len(videos.lengths)) if chosen is None else chosen
    for start in range(0, len(indices), batch_size):
        batch = np.concatenate(
            [
                _load_clips(videos, int(video), options, clips)
                for video in indices[start : start + batch_size]
            ]
        )
        yield torch.from_numpy(batch).transpose(0, 1).float()


def _collect_features(batches: Iterable[Tensor], clips: int, videos: VideoSource) -> Features:
    """Average the features of clips, batches of (timesteps, videos * clips, width)."""
    steps, errors = [], []
    for values in batches:
        each = values.transpose(0, 1).numpy()
        steps.append(each.reshape(-1, clips, *each.shape[1:]).mean(axis=1))
        errors.append(
            consistency_error_per_step(each).reshape(-1, clips, each.shape[1]).mean(axis=1)
        )
    return Features(np.concatenate(steps), np.concatenate(errors), videos.labels)


def _load_clips(
    videos: VideoSource, video: int, options: ClipOptions, clips: int
) -> NDArray[np.uint8]:
    """Load a video's clips, uint8 (clips, timesteps, channels, height, width)."""
    length = int(videos.lengths[video])
    starts = uniform_clip_starts(length, options, clips)
    return np.stack([videos.clip(video, frame_indices(int(s), options, length)) for s in starts])
