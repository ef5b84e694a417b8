"""What the answers of a network are worth when it is stopped after each time step."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...runtime.network import Network
from ...runtime.trace import Trace, logits_over_time
from ..data import FrameSet
from ..nn.network import SpikingNetwork

Accuracy = NDArray[np.float64]
Logits = NDArray[np.float32]
Labels = NDArray[np.int64]
EngineFunction = Callable[[Network, NDArray[np.uint8]], Trace]


def iter_batches(
    frames: FrameSet, batch_size: int
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Yield events uint8 (timesteps, batch, ...) and labels int64 (batch,), in order."""
    yield from frames.batches(batch_size)


@torch.no_grad()
def predict_logits(
    network: SpikingNetwork, frames: FrameSet, quantized: bool, batch_size: int = 128
) -> Logits:
    """Return the sum of all logits so far after each step, float32 (timesteps, samples, classes).

    In real numbers, or `quantised` as in the last epochs of training; the network keeps its mode.
    """
    before = [layer.quantized for layer in network.layer_list]
    training, device = network.training, next(network.parameters()).device
    network.eval().quantize(quantized)
    parts = []
    for events, _ in iter_batches(frames, batch_size):
        given = torch.from_numpy(events.astype(np.float32)).to(device)
        parts.append(network(given).cumsum(dim=0).float().cpu().numpy())
    network.train(training)
    for layer, mode in zip(network.layer_list, before, strict=True):
        layer.quantized = mode
    return np.concatenate(parts, axis=1)


def model_accuracy(
    network: SpikingNetwork, frames: FrameSet, quantized: bool, batch_size: int = 128
) -> Accuracy:
    """Return the share of right answers after each step, float64 (timesteps,), 0 to 1."""
    return accuracy_from_logits(
        predict_logits(network, frames, quantized, batch_size), frames.labels
    )


def accuracy_from_logits(said: NDArray[Any], labels: Labels) -> Accuracy:
    """Return the share of right answers when stopped after each step, float64 (timesteps,)."""
    right: Accuracy = (said.argmax(axis=-1) == labels).mean(axis=1)
    return right


def prediction_agreement(said: NDArray[Any]) -> Accuracy:
    """Return the share of samples whose answer after each step is their last one, (timesteps,)."""
    classes = said.argmax(axis=-1)
    same: Accuracy = (classes == classes[-1]).mean(axis=1)
    return same


def expected_calibration_error(said: Logits, labels: Labels, bins: int = 15) -> Accuracy:
    """Return the expected calibration error after each step, float64 (timesteps,), 0 to 1.

    The confidence is that of the mean of the logits so far. ECE = sum over bins of equal width of
    their share of the samples times | accuracy - mean confidence | (Guo et al., "On calibration of
    modern neural networks", ICML 2017, arXiv 1706.04599).
    """
    taken = np.arange(1, len(said) + 1).reshape(-1, 1, 1)
    logits = torch.from_numpy(said / taken)
    confidence, classes = (part.numpy() for part in logits.softmax(dim=-1).max(dim=-1))
    wrong_by = (classes == labels).astype(np.float64) - confidence
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        np.abs(np.bincount(at, gap, minlength=bins)).sum()
        for at, gap in zip(place, wrong_by, strict=True)
    ]
    errors: Accuracy = np.array(gaps) / said.shape[1]
    return errors


def network_accuracy(
    network: Network, frames: FrameSet, engine: EngineFunction, batch_size: int = 128
) -> Accuracy:
    """Return the same of a converted network, run by `engine`; after its early exits, if any."""
    return accuracy_from_logits(run_logits(network, frames, engine, batch_size), frames.labels)


def run_logits(
    network: Network, frames: FrameSet, engine: EngineFunction, batch_size: int = 128
) -> NDArray[np.int64]:
    """Return what a converted network says, int64 (timesteps, samples, classes)."""
    traces = [engine(network, events) for events, _ in iter_batches(frames, batch_size)]
    return np.concatenate([logits_over_time(network, trace) for trace in traces], axis=1)
