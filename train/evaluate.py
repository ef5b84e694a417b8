"""How often a network is right when it is stopped after each time step (truncated accuracy)."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from ..runtime.network import Network
from ..runtime.trace import Trace, accuracies
from .data import FrameSet
from .networks import SpikingNetwork

Accuracies = NDArray[np.float64]
Engine = Callable[[Network, NDArray[np.uint8]], Trace]


def batches(frames: FrameSet, size: int) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Yield events uint8 (timesteps, batch, ...) and labels int64 (batch,), in order."""
    for start in range(0, len(frames), size):
        chosen = slice(start, start + size)
        yield frames.frames[chosen].swapaxes(0, 1), frames.labels[chosen]


@torch.no_grad()
def trained_accuracies(
    network: SpikingNetwork, frames: FrameSet, quantised: bool, batch: int = 128
) -> Accuracies:
    """Return the share of right answers after each step, float64 (timesteps,), 0 to 1.

    In real numbers, or `quantised` as in the last epochs of training; the network keeps its mode.
    """
    before = [layer.quantised for layer in network.layers]
    training = network.training
    network.eval().quantise(quantised)
    right = np.zeros(frames.frames.shape[1])
    for events, labels in batches(frames, batch):
        answers = network(torch.from_numpy(events.copy()).float()).cumsum(dim=0)
        right += (answers.argmax(dim=-1).numpy() == labels).sum(axis=1)
    network.train(training)
    for layer, mode in zip(network.layers, before, strict=True):
        layer.quantised = mode
    return right / len(frames)


def network_accuracies(
    network: Network, frames: FrameSet, engine: Engine, batch: int = 128
) -> Accuracies:
    """Return the same of a converted network, run by `engine`."""
    right = np.zeros(frames.frames.shape[1])
    for events, labels in batches(frames, batch):
        right += accuracies(network, engine(network, events), labels) * len(labels)
    return right / len(frames)
