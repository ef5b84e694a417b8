"""Fine-tuning: the whole network goes on to learn with labels."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ..data.clips import ClipOptions, frame_indices, sample_clip_starts, uniform_clip_starts
from ..data.videos import VideoSource
from ..nn.network import SpikingNetwork


def finetune(
    network: SpikingNetwork,
    videos: VideoSource,
    label: str,
    options: ClipOptions,
    epochs: int = 10,
    batch_size: int = 64,
    lr: float = 1e-3,
    seed: int = 0,
) -> SpikingNetwork:
    """Return a copy of `network` that was trained to tell `label`, by AdamW and cross-entropy.

    Its read-out has a class for each; a new clip of each video is drawn every epoch.
    """
    torch.manual_seed(seed)
    tuned = copy.deepcopy(network).requires_grad_(True).train()
    generator = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(tuned.parameters(), lr=lr)
    labels = torch.from_numpy(videos.labels[label].copy())
    for _ in range(epochs):
        order = generator.permutation(len(labels))
        for start in range(0, len(order) - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            clips = np.stack(
                [_sample_clip(videos, int(k), options, generator) for k in chosen], axis=1
            )
            logits = tuned(torch.from_numpy(clips).float()).sum(dim=0)
            optimiser.zero_grad()
            functional.cross_entropy(logits, labels[chosen]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return tuned.eval()


@torch.no_grad()
def top_k_accuracy(
    network: SpikingNetwork,
    videos: VideoSource,
    label: str,
    options: ClipOptions,
    clips: int = 3,
    ranks: tuple[int, ...] = (1, 5),
) -> dict[int, float]:
    """Return how often the right class is among the k first, for each of `ranks`.

    A video's answer is the mean over `clips` clips spread evenly over it.
    """
    network.eval()
    right = dict.fromkeys(ranks, 0.0)
    for video, length in enumerate(videos.lengths.tolist()):
        starts = uniform_clip_starts(length, options, clips).tolist()
        seen = [videos.clip(video, frame_indices(start, options, length)) for start in starts]
        logits = network(torch.from_numpy(np.stack(seen, axis=1)).float()).sum(dim=(0, 1))
        order = logits.argsort(descending=True).tolist()
        place = order.index(int(videos.labels[label][video]))
        for rank in ranks:
            right[rank] += (place < rank) / len(videos.lengths)
    return right


def _sample_clip(
    videos: VideoSource, video: int, options: ClipOptions, generator: np.random.Generator
) -> NDArray[np.uint8]:
    length = int(videos.lengths[video])
    start, _ = sample_clip_starts(length, options, generator)
    return videos.clip(video, frame_indices(start, options, length))
