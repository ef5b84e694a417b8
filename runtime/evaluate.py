"""Evaluate a network on inputs: accuracy by timestep, predictions and mean operation counts."""

from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .batches import BATCH_SIZE, Track, iter_batches
from .engines.registry import get_engine
from .engines.run import raw_option, run_on
from .errors import EngineError
from .files import network_digest
from .network import Network
from .op_counts import count_ops
from .readout import Task
from .trace import Trace, accuracy_over_time, logits_over_time


@dataclass(frozen=True)
class NetworkEvaluation:
    """Evaluation of a network on inputs.

    Attributes:
        network: SHA-256 digest of the network.
        inputs: Name of the inputs.
        engine: Name of the engine.
        samples: Number of samples.
        timesteps: Number of timesteps.
        accuracy: Accuracy after each timestep, 0 to 1; None without labels, and of a regression.
        predictions: Predicted class of each sample after its last timestep; of a regression its
            estimates, one for each output.
        events: Mean events per sample.
        synaptic_operations: Mean synaptic operations per sample.
        neuron_updates: Neuron updates per sample.
        seconds: Wall-clock time of the evaluation.
        mae: Mean absolute error of a regression after each timestep, in units of the targets; None
            without targets, and of a classification.
        rmse: Root mean squared error, likewise.
    """

    network: str
    inputs: str
    engine: str
    samples: int
    timesteps: int
    accuracy: tuple[float, ...] | None
    predictions: tuple[int | tuple[float, ...], ...]
    events: float
    synaptic_operations: float
    neuron_updates: int
    seconds: float
    mae: tuple[float, ...] | None = None
    rmse: tuple[float, ...] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values of all fields."""
        return asdict(self)


def evaluate_network(
    network: Network,
    inputs: Any,
    engine: str = "cpu",
    *,
    batch_size: int = BATCH_SIZE,
    track: Track = iter,
) -> NetworkEvaluation:
    """Run `network` in batches and count predictions and operations.

    Args:
        network: The network.
        inputs: What `iter_batches` takes; its attributes `labels`,
            int64 (samples,) or of a regression float32 (samples, outputs), `name`, and `raw`, which
            firmware encodes, are used if it has them.
        engine: Name of the engine.
        batch_size: Samples per batch.
        track: Wraps the sequence of batch starts, for a progress bar.

    Raises:
        EngineError: The inputs do not fit, or the engine is unknown.
        MissingPackage: A package that the engine needs is not installed.
    """
    chosen, labels = get_engine(engine), getattr(inputs, "labels", None)
    scores = Scores(network.readout.task)
    operations = np.zeros(2)
    raw = raw_option(chosen, inputs)
    start = perf_counter()
    for events, first in iter_batches(network, inputs, batch_size, track):
        options = {name: array[:, first : first + batch_size] for name, array in raw.items()}
        trace = run_on(chosen, network, events, "output", **options)
        counts = count_ops(network, trace)
        operations += counts.total_events.sum(), counts.total_synaptic_operations.sum()
        scores.add(trace, None if labels is None else labels[first : first + trace.batch])
    samples = scores.samples
    return NetworkEvaluation(
        network=network_digest(network),
        inputs=getattr(inputs, "name", "events"),
        engine=engine,
        samples=samples,
        timesteps=trace.timesteps,
        predictions=tuple(scores.predictions),
        events=operations[0] / samples,
        synaptic_operations=operations[1] / samples,
        neuron_updates=counts.total_neuron_updates,
        seconds=perf_counter() - start,
        **scores.means(),
    )


class Scores:
    """Sums over batches: correct predictions, or errors of a regression, after each timestep."""

    def __init__(self, task: Task) -> None:
        self.task, self.samples = task, 0
        self.predictions: list[Any] = []
        self.sums: dict[str, NDArray[np.float64]] = {}

    def add(self, trace: Trace, labels: NDArray[Any] | None) -> None:
        """Add the trace of a batch, which knows its network; raises `EngineError`."""
        self.samples += trace.batch
        network = trace.network
        assert network is not None
        if self.task == "classification":
            self.predictions += logits_over_time(network, trace)[-1].argmax(axis=-1).tolist()
            if labels is not None:
                self._sum("accuracy", trace.batch * accuracy_over_time(network, trace, labels))
            return
        estimates = trace.estimates
        self.predictions += [tuple(each) for each in estimates[-1].tolist()]
        if labels is not None:
            error = estimates - check_targets(labels, estimates.shape[1:])
            self._sum("mae", np.abs(error).mean(axis=2).sum(axis=1))
            self._sum("rmse", np.square(error).mean(axis=2).sum(axis=1))

    def _sum(self, name: str, values: NDArray[np.float64]) -> None:
        self.sums[name] = self.sums.get(name, np.zeros(len(values))) + values

    def means(self) -> dict[str, Any]:
        """Means over samples after each timestep by name, None where there are none."""
        means: dict[str, Any] = {"accuracy": None, "mae": None, "rmse": None}
        for name, values in self.sums.items():
            mean = values / self.samples
            means[name] = tuple((np.sqrt(mean) if name == "rmse" else mean).tolist())
        return means


def check_targets(targets: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Targets of a regression as float64 of `shape`, (samples, outputs); raises `EngineError`."""
    array = np.asarray(targets)
    if array.dtype.kind not in "iuf" or array.reshape(len(array), -1).shape != shape:
        raise EngineError(
            f"targets are {array.dtype} {array.shape}, needs numbers {shape} (samples, outputs)"
        )
    return array.reshape(shape).astype(np.float64)
