"""Summary of a finished training run: accuracy at each timestep, and cost per inference."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ...runtime.engines.registry import available_engines
from ...runtime.errors import PumiceError
from ...runtime.evaluate import evaluate_network
from ..data import Dataset, FrameSet
from ..data.inputs import to_inputs
from ..engine.checkpoint import TrainedModel
from ..export import convert
from .evaluate import model_accuracy, model_errors

COUNTED_SAMPLES = 128


@dataclass(frozen=True)
class RunSummary:
    """Evaluation of a trained network on the test samples.

    Attributes:
        samples: Number of test samples.
        accuracy: Accuracy after each timestep in floating point, 0 to 1; None of a regression.
        integer_accuracy: The same after conversion to integers; None without quantization-aware
            training.
        spikes: Mean number of input events and spikes per inference of the integer network, on the
            first samples; None where it cannot be converted or no fast engine is installed.
        synaptic_operations: Mean number of synaptic operations per inference, likewise.
        errors: Of a regression the "mae" and "rmse" after each timestep in floating point, in units
            of the targets; else None.
        integer_errors: The same after conversion to integers.
    """

    samples: int
    accuracy: tuple[float, ...] | None
    integer_accuracy: tuple[float, ...] | None
    spikes: float | None
    synaptic_operations: float | None
    errors: Mapping[str, tuple[float, ...]] | None = None
    integer_errors: Mapping[str, tuple[float, ...]] | None = None

    @property
    def curves(self) -> dict[str, tuple[float, ...]]:
        """Accuracy, or the mean absolute error of a regression, "float" and perhaps "integer"."""
        if self.errors is None:
            curves = {"float": self.accuracy, "integer": self.integer_accuracy}
            return {name: values for name, values in curves.items() if values is not None}
        errors = {"float": self.errors, "integer": self.integer_errors}
        return {name: values["mae"] for name, values in errors.items() if values is not None}

    def to_dict(self) -> dict[str, Any]:
        """JSON values of all fields."""
        return asdict(self)


def summarize_run(trained: TrainedModel, data: Dataset) -> RunSummary:
    """Evaluate a trained network on the test samples of `data`, and count its operations."""
    network, test = trained.network, data.test
    quantized = bool(trained.recipe.training.qat_epochs)
    spikes = operations = None
    if "cpu" in available_engines():
        try:
            integer_network = convert(trained)
            inputs = to_inputs(integer_network, test[:COUNTED_SAMPLES], data.name)
            evaluation = evaluate_network(integer_network, inputs, "cpu")
            spikes, operations = evaluation.events, evaluation.synaptic_operations
        except PumiceError:  # no integer network: the counts are left out
            pass
    if data.task == "regression":
        errors = _errors(network, test, quantized=False)
        integer_errors = _errors(network, test, quantized=True) if quantized else None
        return RunSummary(len(test), None, None, spikes, operations, errors, integer_errors)
    integers = tuple(model_accuracy(network, test, quantized=True).tolist()) if quantized else None
    accuracy = tuple(model_accuracy(network, test, quantized=False).tolist())
    return RunSummary(len(test), accuracy, integers, spikes, operations)


def _errors(network: Any, test: FrameSet, quantized: bool) -> dict[str, tuple[float, ...]]:
    errors = model_errors(network, test, quantized)
    return {"mae": tuple(errors.mae.tolist()), "rmse": tuple(errors.rmse.tolist())}
