"""What a network makes of videos: features of each step."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.clips import ClipOptions, frame_indices, uniform_clip_starts
from ..data.videos import VideoSource
from ..nn.network import SpikingNetwork
from .representation_metrics import Vectors as Vectors
from .representation_metrics import consistency_error_per_step


@dataclass(frozen=True, eq=False)
class Features:
    """Features of videos.

    `steps`: what the read-out reads at each step, mean over a video's clips, float32 (videos,
    timesteps, width). `errors`: how unlike each step is to the others of its clip, mean over a
    video's clips, float64 (videos, timesteps). `labels`: for each kind int64 (videos,).
    """

    steps: Vectors
    consistency_errors: NDArray[np.float64]
    labels: Mapping[str, NDArray[np.int64]]

    @property
    def mean(self) -> Vectors:
        """Means over steps, (videos, width)."""
        held: Vectors = self.steps.mean(axis=1)
        return held

    @property
    def concatenated(self) -> Vectors:
        """Steps one after another, (videos, timesteps * width)."""
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
    """Return the features of all `videos`, each seen in `clips` clips spread evenly over it.

    The network is put into evaluation mode and stays in it; it computes in real numbers or as on
    the chip, as it was told.
    """
    network.eval()
    device = next(network.parameters()).device
    seen = iter_clips(videos, options, clips, batch_size)
    found = (network.features(each.to(device)).flatten(2).cpu() for each in seen)
    return _collect_features(found, clips, videos)


def pixel_features(videos: VideoSource, options: ClipOptions, clips: int = 1) -> Features:
    """Return the images themselves as features, from the same clips: what these are to beat."""
    return _collect_features(
        (each.flatten(2) for each in iter_clips(videos, options, clips)), clips, videos
    )


def iter_clips(
    videos: VideoSource, options: ClipOptions, clips: int = 1, batch_size: int = 128
) -> Iterator[Tensor]:
    """Yield `clips` clips of each video, of `batch` videos at once.

    float32 (timesteps, batch * clips, *shape); those of a video stand side by side.
    """
    for start in range(0, len(videos.lengths), batch_size):
        chosen = range(start, min(start + batch_size, len(videos.lengths)))
        seen = np.concatenate([_load_clips(videos, video, options, clips) for video in chosen])
        yield torch.from_numpy(seen).transpose(0, 1).float()


def _collect_features(found: Iterable[Tensor], clips: int, videos: VideoSource) -> Features:
    """Return features from those of clips, (timesteps, videos * clips, width) a batch."""
    steps, errors = [], []
    for values in found:
        each = values.transpose(0, 1).numpy()
        steps.append(each.reshape(-1, clips, *each.shape[1:]).mean(axis=1))
        errors.append(
            consistency_error_per_step(each).reshape(-1, clips, each.shape[1]).mean(axis=1)
        )
    return Features(np.concatenate(steps), np.concatenate(errors), videos.labels)


def _load_clips(
    videos: VideoSource, video: int, options: ClipOptions, clips: int
) -> NDArray[np.uint8]:
    """Return a video's clips, uint8 (clips, timesteps, channels, height, width)."""
    length = int(videos.lengths[video])
    starts = uniform_clip_starts(length, options, clips)
    return np.stack([videos.clip(video, frame_indices(int(s), options, length)) for s in starts])
