"""Fine-tuning: the whole network goes on to learn with labels."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ..data.clips import ClipOptions, drawn_starts, even_starts, positions
from ..data.videos import VideoSource
from ..networks import SpikingNetwork


def fine_tuned(
    network: SpikingNetwork,
    videos: VideoSource,
    label: str,
    options: ClipOptions,
    epochs: int = 10,
    batch: int = 64,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> SpikingNetwork:
    """Return a copy of `network` that was trained to tell `label`, by AdamW and cross-entropy.

    Its read-out has a class for each; a new clip of each video is drawn every epoch.
    """
    torch.manual_seed(seed)
    tuned = copy.deepcopy(network).requires_grad_(True).train()
    generator = np.random.default_rng(seed)
    optimiser = torch.optim.AdamW(tuned.parameters(), lr=learning_rate)
    labels = torch.from_numpy(videos.labels[label].copy())
    for _ in range(epochs):
        order = generator.permutation(len(labels))
        for start in range(0, len(order) - batch + 1, batch):
            chosen = order[start : start + batch]
            clips = np.stack([_drawn(videos, int(k), options, generator) for k in chosen], axis=1)
            logits = tuned(torch.from_numpy(clips).float()).sum(dim=0)
            optimiser.zero_grad()
            functional.cross_entropy(logits, labels[chosen]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return tuned.eval()


@torch.no_grad()
def told_right(
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
        starts = even_starts(length, options, clips).tolist()
        seen = [videos.clip(video, positions(start, options, length)) for start in starts]
        logits = network(torch.from_numpy(np.stack(seen, axis=1)).float()).sum(dim=(0, 1))
        order = logits.argsort(descending=True).tolist()
        place = order.index(int(videos.labels[label][video]))
        for rank in ranks:
            right[rank] += (place < rank) / len(videos.lengths)
    return right


def _drawn(
    videos: VideoSource, video: int, options: ClipOptions, generator: np.random.Generator
) -> NDArray[np.uint8]:
    length = int(videos.lengths[video])
    start, _ = drawn_starts(length, options, generator)
    return videos.clip(video, positions(start, options, length))
