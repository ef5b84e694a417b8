"""Summary of a finished training run: accuracy at each timestep, and cost per inference."""

from dataclasses import asdict, dataclass
from typing import Any

from ...runtime.engines.registry import available_engines
from ...runtime.errors import PumiceError
from ...runtime.evaluate import evaluate_network
from ..data import Dataset
from ..data.inputs import to_inputs
from ..engine.checkpoint import TrainedModel
from ..export import convert
from .evaluate import model_accuracy

COUNTED_SAMPLES = 128


@dataclass(frozen=True)
class RunSummary:
    """Evaluation of a trained network on the test samples.

    Attributes:
        samples: Number of test samples.
        accuracy: Accuracy after each timestep in floating point, 0 to 1.
        integer_accuracy: The same after conversion to integers; None without quantization-aware
            training.
        spikes: Mean number of input events and spikes per inference of the integer network, on the
            first samples; None where it cannot be converted or no fast engine is installed.
        synaptic_operations: Mean number of synaptic operations per inference, likewise.
    """

    samples: int
    accuracy: tuple[float, ...]
    integer_accuracy: tuple[float, ...] | None
    spikes: float | None
    synaptic_operations: float | None

    def to_dict(self) -> dict[str, Any]:
        """JSON values of all fields."""
        return asdict(self)


def summarize_run(trained: TrainedModel, data: Dataset) -> RunSummary:
    """Evaluate a trained network on the test samples of `data`, and count its operations."""
    network, test = trained.network, data.test
    integers = None
    if trained.recipe.training.qat_epochs:
        integers = tuple(model_accuracy(network, test, quantized=True).tolist())
    spikes = operations = None
    if "cpu" in available_engines():
        try:
            integer_network = convert(trained)
            inputs = to_inputs(integer_network, test[:COUNTED_SAMPLES], data.name)
            evaluation = evaluate_network(integer_network, inputs, "cpu")
            spikes, operations = evaluation.events, evaluation.synaptic_operations
        except PumiceError:  # no integer network: the counts are left out
            pass
    accuracy = tuple(model_accuracy(network, test, quantized=False).tolist())
    return RunSummary(len(test), accuracy, integers, spikes, operations)
