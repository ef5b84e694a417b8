"""Accuracy, agreement and calibration of a network stopped after each timestep."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ...runtime.engines.run import add_lengths, run
from ...runtime.errors import DataError
from ...runtime.evaluate import check_targets
from ...runtime.events import as_events
from ...runtime.network import Network
from ...runtime.trace import Trace, logits_over_time
from ..data import Dataset, FrameSet
from ..data.reading import default_workers
from ..engine.processes import map_shards
from ..models.modules import as_network
from ..nn.network import SpikingNetwork

Accuracy = NDArray[np.float64]
Logits = NDArray[np.float32]
Labels = NDArray[np.int64]
EngineFunction = Callable[[Network, NDArray[np.uint8]], Trace]


def evaluate(
    model: Any,
    samples: FrameSet | Dataset,
    quantized: bool = False,
    batch_size: int = 128,
    engine: str = "cpu",
) -> Accuracy:
    """Accuracy of a model when it is stopped after each timestep.

    Args:
        model: A trained network or `TrainedModel`, another torch module that `pumice.train` takes,
            or a converted `Network`.
        samples: Labeled samples, such as `data.test`; of a dataset, its test part.
        quantized: Evaluate a trained network in integers, as it will be converted.
        batch_size: Samples per forward pass.
        engine: Engine that runs a converted `Network`.

    Returns:
        Fraction of correct predictions, float64 (timesteps,); of a regression the mean absolute
        error, in units of the targets. With an early exit, a converted network keeps the prediction
        of its exit.
    """
    part = samples.test if isinstance(samples, Dataset) else samples
    if not isinstance(part, FrameSet):
        raise DataError(
            f"evaluate: samples are {type(samples).__name__}, needs labeled samples such as "
            "data.test; see pumice.datasets.from_arrays"
        )
    if isinstance(model, Network) and model.readout.task == "regression":
        return network_errors(model, part, engine, batch_size).mae
    if isinstance(model, Network):
        return accuracy_from_logits(run_logits(model, part, engine, batch_size), part.labels)
    network = getattr(model, "network", model)
    if isinstance(network, nn.Module) and not isinstance(network, SpikingNetwork):
        network = as_network(network, part.sample_shape)
    if not isinstance(network, SpikingNetwork):
        raise DataError(
            f"evaluate: {type(model).__name__} is no model; needs a torch module, a TrainedModel "
            "or a Network"
        )
    if network.readout.task == "regression":
        return model_errors(network, part, quantized, batch_size).mae
    return model_accuracy(network, part, quantized, batch_size)


@dataclass(frozen=True)
class RegressionErrors:
    """Errors of a regression after each timestep, float64 (timesteps,), in units of the targets.

    Attributes:
        mae: Mean absolute error over samples and outputs.
        rmse: Root mean squared error.
    """

    mae: NDArray[np.float64]
    rmse: NDArray[np.float64]


def errors_from_estimates(estimates: NDArray[Any], targets: NDArray[Any]) -> RegressionErrors:
    """Errors of estimates (timesteps, samples, outputs) of targets (samples, outputs)."""
    error = estimates.astype(np.float64) - check_targets(targets, estimates.shape[1:])
    squared = np.square(error).mean(axis=(1, 2))
    return RegressionErrors(np.abs(error).mean(axis=(1, 2)), np.sqrt(squared))


def model_errors(
    network: SpikingNetwork, frames: FrameSet, quantized: bool, batch_size: int = 128
) -> RegressionErrors:
    """Errors of a trained regression network after each timestep."""
    outputs = predict_logits(network, frames, quantized, batch_size).astype(np.float64)
    readout = network.readout
    estimates = outputs * np.array(readout.scale) + np.array(readout.offset)
    return errors_from_estimates(estimates, frames.labels)


def network_errors(
    network: Network, frames: FrameSet, engine: str | EngineFunction = "cpu", batch_size: int = 128
) -> RegressionErrors:
    """Errors of a converted regression network after each timestep."""
    parts = [trace.estimates for trace in _run_batches(network, frames, engine, batch_size)]
    return errors_from_estimates(np.concatenate(parts, axis=1), frames.labels)


@torch.no_grad()
def predict_logits(
    network: SpikingNetwork, frames: FrameSet, quantized: bool, batch_size: int = 128
) -> Logits:
    """Cumulative logits after each timestep, float32 (timesteps, samples, classes).

    Processes that work together share the samples.

    In floating point, or `quantized` as in quantization-aware training; the modes of the network
    are restored.
    """
    network.check_frames(frames.sample_shape)
    modes = [layer.quantized for layer in network.layer_list]
    training, device = network.training, next(network.parameters()).device
    network.eval().quantize(quantized)

    def predict(indices: NDArray[np.int64] | None) -> Logits:
        part, parts = frames if indices is None else frames[indices], []
        for events, _ in part.batches(batch_size, default_workers(part.source)):
            inputs = torch.from_numpy(events.astype(np.float32)).to(device)
            parts.append(network(inputs).cumsum(dim=0).float().cpu().numpy())
        return np.concatenate(parts, axis=1)

    logits = map_shards(predict, len(frames), axis=1)
    network.train(training)
    for layer, mode in zip(network.layer_list, modes, strict=True):
        layer.quantized = mode
    return logits


def model_accuracy(
    network: SpikingNetwork, frames: FrameSet, quantized: bool, batch_size: int = 128
) -> Accuracy:
    """Accuracy of a trained network after each timestep, float64 (timesteps,), 0 to 1."""
    return accuracy_from_logits(
        predict_logits(network, frames, quantized, batch_size), frames.labels
    )


def accuracy_from_logits(logits: NDArray[Any], labels: Labels) -> Accuracy:
    """Accuracy of cumulative logits after each timestep, float64 (timesteps,)."""
    accuracy: Accuracy = (logits.argmax(axis=-1) == labels).mean(axis=1)
    return accuracy


def prediction_agreement(logits: NDArray[Any]) -> Accuracy:
    """Fraction of samples with the final prediction after each timestep, float64 (timesteps,)."""
    predictions = logits.argmax(axis=-1)
    agreement: Accuracy = (predictions == predictions[-1]).mean(axis=1)
    return agreement


def expected_calibration_error(logits: Logits, labels: Labels, bins: int = 15) -> Accuracy:
    """Expected calibration error after each timestep, float64 (timesteps,), 0 to 1.

    The confidence is that of the mean of the logits so far. ECE = sum over bins of equal width of
    their fraction of the samples times | accuracy - mean confidence | (Guo et al., "On calibration
    of modern neural networks", ICML 2017, arXiv 1706.04599).
    """
    timesteps = np.arange(1, len(logits) + 1).reshape(-1, 1, 1)
    mean_logits = torch.from_numpy(logits / timesteps)
    confidence, predictions = (part.numpy() for part in mean_logits.softmax(dim=-1).max(dim=-1))
    gaps = (predictions == labels).astype(np.float64) - confidence
    indices = np.minimum((confidence * bins).astype(int), bins - 1)
    totals = [
        np.abs(np.bincount(index, gap, minlength=bins)).sum()
        for index, gap in zip(indices, gaps, strict=True)
    ]
    errors: Accuracy = np.array(totals) / logits.shape[1]
    return errors


def network_accuracy(
    network: Network, frames: FrameSet, engine: str | EngineFunction = "cpu", batch_size: int = 128
) -> Accuracy:
    """Accuracy of a converted network after each timestep, after its early exits, if any."""
    return accuracy_from_logits(run_logits(network, frames, engine, batch_size), frames.labels)


def run_logits(
    network: Network, frames: FrameSet, engine: str | EngineFunction = "cpu", batch_size: int = 128
) -> NDArray[np.int64]:
    """Logits of a converted network after each timestep, int64 (timesteps, samples, classes).

    `engine` is the name of an engine, or a function with the signature of one. Processes that work
    together share the samples.
    """

    def compute(indices: NDArray[np.int64] | None) -> NDArray[np.int64]:
        part = frames if indices is None else frames[indices]
        traces = _run_batches(network, part, engine, batch_size)
        return np.concatenate([logits_over_time(network, trace) for trace in traces], axis=1)

    return map_shards(compute, len(frames), axis=1)


def _run_batches(
    network: Network, frames: FrameSet, engine: str | EngineFunction, batch_size: int
) -> Iterator[Trace]:
    for events, labels in frames.batches(batch_size, default_workers(frames.source)):
        inputs = as_events(network, FrameSet(events, labels))
        if isinstance(engine, str):
            yield run(network, inputs, engine, "output")
        else:
            trace = replace(engine(network, events), network=network)
            yield add_lengths(trace, network, inputs)
