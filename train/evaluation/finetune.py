"""Supervised fine-tuning of a pretrained network."""

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
    """Fine-tune a copy of `network` with labels, by AdamW and cross-entropy.

    Args:
        network: The pretrained network; its read-out has one neuron per class.
        videos: Training videos; a new clip of each is sampled every epoch.
        label: Kind of label to learn.
        options: Length and stride of the clips.
        epochs: Passes over the videos.
        batch_size: Videos per step; all of them where there are fewer.
        lr: Learning rate.
        seed: Seed of order and clips.
    """
    torch.manual_seed(seed)
    tuned = copy.deepcopy(network).requires_grad_(True).train()
    generator = np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(tuned.parameters(), lr=lr)
    labels = torch.from_numpy(videos.labels[label].copy())
    batch_size = min(batch_size, len(labels))
    for _ in range(epochs):
        order = generator.permutation(len(labels))
        for start in range(0, len(order) - batch_size + 1, batch_size):
            chosen = order[start : start + batch_size]
            clips = np.stack(
                [_sample_clip(videos, int(k), options, generator) for k in chosen], axis=1
            )
            logits = tuned(torch.from_numpy(clips).float()).sum(dim=0)
            optimizer.zero_grad()
            functional.cross_entropy(logits, labels[chosen]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
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
    """Top-k accuracy for each k of `ranks`, by the mean logits of `clips` clips of each video."""
    network.eval()
    accuracy = dict.fromkeys(ranks, 0.0)
    for video, length in enumerate(videos.lengths.tolist()):
        starts = uniform_clip_starts(length, options, clips).tolist()
        frames = [videos.clip(video, frame_indices(start, options, length)) for start in starts]
        logits = network(torch.from_numpy(np.stack(frames, axis=1)).float()).sum(dim=(0, 1))
        order = logits.argsort(descending=True).tolist()
        position = order.index(int(videos.labels[label][video]))
        for rank in ranks:
            accuracy[rank] += (position < rank) / len(videos.lengths)
    return accuracy


def _sample_clip(
    videos: VideoSource, video: int, options: ClipOptions, generator: np.random.Generator
) -> NDArray[np.uint8]:
    length = int(videos.lengths[video])
    start, _ = sample_clip_starts(length, options, generator)
    return videos.clip(video, frame_indices(start, options, length))
