"""Evaluate a network on inputs: accuracy by timestep, predictions and mean operation counts."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np

from .engines.registry import get_engine
from .events import as_events
from .files import network_digest
from .network import Network
from .op_counts import count_ops
from .trace import accuracy_over_time, logits_over_time

BATCH_SIZE = 128


@dataclass(frozen=True)
class NetworkEvaluation:
    """Evaluation of a network on inputs.

    Attributes:
        network: SHA-256 digest of the network.
        inputs: Name of the inputs.
        engine: Name of the engine.
        samples: Number of samples.
        timesteps: Number of timesteps.
        accuracy: Accuracy after each timestep, 0 to 1; None without labels.
        predictions: Predicted class of each sample after its last timestep.
        events: Mean events per sample.
        synaptic_operations: Mean synaptic operations per sample.
        neuron_updates: Neuron updates per sample.
        seconds: Wall-clock time of the evaluation.
    """

    network: str
    inputs: str
    engine: str
    samples: int
    timesteps: int
    accuracy: tuple[float, ...] | None
    predictions: tuple[int, ...]
    events: float
    synaptic_operations: float
    neuron_updates: int
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """JSON values of all fields."""
        return asdict(self)


def evaluate_network(
    network: Network,
    inputs: Any,
    engine: str = "cpu",
    *,
    batch_size: int = BATCH_SIZE,
    track: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> NetworkEvaluation:
    """Run `network` in batches and count predictions and operations.

    Args:
        network: The network.
        inputs: An array, a mapping from input population to array, or an object with `events`;
            its attributes `labels`, int64 (samples,), and `name` are used if it has them.
        engine: Name of the engine.
        batch_size: Samples per batch.
        track: Wraps the sequence of batch starts, for a progress bar.

    Raises:
        EngineError: The inputs do not fit, or the engine is unknown.
        MissingPackage: A package that the engine needs is not installed.
    """
    run, events = get_engine(engine).load(), as_events(network, inputs)
    labels = getattr(inputs, "labels", None)
    samples = int(next(iter(events.values())).shape[1])
    correct, totals = np.zeros(1), np.zeros(2)
    predictions: list[int] = []
    start = perf_counter()
    for first in track(range(0, samples, batch_size)):
        batch = slice(first, first + batch_size)
        trace = run(network, {name: array[:, batch] for name, array in events.items()}, "output")
        counts = count_ops(network, trace)
        totals += counts.total_events.sum(), counts.total_synaptic_operations.sum()
        predictions += logits_over_time(network, trace)[-1].argmax(axis=-1).tolist()
        if labels is not None:
            correct = correct + trace.batch * accuracy_over_time(network, trace, labels[batch])
    return NetworkEvaluation(
        network=network_digest(network),
        inputs=getattr(inputs, "name", "events"),
        engine=engine,
        samples=samples,
        timesteps=trace.timesteps,
        accuracy=None if labels is None else tuple((correct / samples).tolist()),
        predictions=tuple(predictions),
        events=totals[0] / samples,
        synaptic_operations=totals[1] / samples,
        neuron_updates=counts.total_neuron_updates,
        seconds=perf_counter() - start,
    )
