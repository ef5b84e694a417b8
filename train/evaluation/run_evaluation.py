"""Evaluate a training run: accuracy by timestep, retrained for fewer, and with early exit.

Three curves of accuracy against timesteps are kept apart. *Truncated*: trained for all timesteps
and stopped after each. *Retrained*: trained for fewer timesteps and run for all of those.
*Early exit*: converted, with each sample stopped when the margin of its prediction suffices.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...runtime.engines import cpu
from ...runtime.errors import DataError
from ...runtime.exit_calibration import calibrate_by_accuracy, evaluate_exits
from ..data import Dataset, train_val_split
from ..engine.checkpoint import TrainedModel, read_trained_model
from ..export import convert
from ..recipes.dataset import load_recipe_dataset
from .evaluate import (
    accuracy_from_logits,
    expected_calibration_error,
    model_accuracy,
    model_errors,
    predict_logits,
    prediction_agreement,
    run_logits,
)

MAX_ACCURACY_LOSSES = (0.005, 0.01, 0.02, 0.05, 0.1)
PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class EarlyExitPoint:
    """Mean timesteps and accuracy on the test samples for one permitted loss of accuracy."""

    max_accuracy_loss: float
    mean_steps: float
    accuracy: float


@dataclass(frozen=True)
class RunEvaluation:
    """Evaluation of a training run on the test samples of its dataset.

    Attributes:
        run: The folder of the run.
        quantized: Whether the quantized forward pass was used.
        samples: Number of test samples.
        select_epoch: `last` or `validation`: how the recipe selects the epoch.
        accuracy: Accuracy when stopped after each timestep, 0 to 1.
        agreement: Fraction of samples whose prediction after each timestep is the last one.
        calibration_error: Expected calibration error after each timestep.
        retrained: Accuracy of runs that were trained for fewer timesteps, by their timesteps.
        early_exit: Accuracy with early exit, for each permitted loss that the number of
            validation samples allows; empty without validation samples.
        errors: Of a regression the "mae" and "rmse" after each timestep, in units of the targets;
            its accuracy, agreement and calibration error are empty.
    """

    run: str
    quantized: bool
    samples: int
    select_epoch: str
    accuracy: tuple[float, ...]
    agreement: tuple[float, ...]
    calibration_error: tuple[float, ...]
    retrained: Mapping[int, float]
    early_exit: tuple[EarlyExitPoint, ...]
    errors: Mapping[str, tuple[float, ...]] | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON values of all fields."""
        return asdict(self)


def evaluate_run(
    run: PathLike,
    *,
    retrained: Sequence[PathLike] = (),
    quantized: bool = False,
    folder: PathLike | None = None,
) -> RunEvaluation:
    """Evaluate a training run on the test samples of its dataset.

    Args:
        run: The folder that training wrote, or its weights.
        retrained: Runs of the same recipe with fewer timesteps.
        quantized: Use the quantized forward pass, which equals the converted network.
        folder: The folder of the dataset, if not that of the recipe.

    Raises:
        DataError: A retrained run differs in more than its timesteps, or files are missing.
    """
    trained = read_trained_model(Path(run))
    others = [read_trained_model(Path(other)) for other in retrained]
    for path, other in zip(retrained, others, strict=True):
        _check_same_recipe(trained, other, path)
    data = load_recipe_dataset(trained.recipe, folder)
    select_epoch = trained.recipe.training.select_epoch
    if data.task == "regression":
        if others:
            raise DataError(f"{run}: is a regression; --retrained compares accuracies")
        found = model_errors(trained.network, data.test, quantized)
        errors = {"mae": tuple(found.mae.tolist()), "rmse": tuple(found.rmse.tolist())}
        samples = len(data.test)
        return RunEvaluation(str(run), quantized, samples, select_epoch, (), (), (), {}, (), errors)
    logits, labels = predict_logits(trained.network, data.test, quantized), data.test.labels
    return RunEvaluation(
        str(run),
        quantized,
        len(data.test),
        select_epoch,
        tuple(accuracy_from_logits(logits, labels).tolist()),
        tuple(prediction_agreement(logits).tolist()),
        tuple(expected_calibration_error(logits, labels).tolist()),
        dict(_retrained_accuracy(other, quantized, folder) for other in others),
        _evaluate_early_exit(trained, data),
    )


def _check_same_recipe(trained: TrainedModel, other: TrainedModel, path: PathLike) -> None:
    """Raise `DataError` if `other` differs from `trained` in more than its timesteps."""
    ours, theirs = (each.recipe.model_dump(mode="json") for each in (trained, other))
    theirs["data"]["timesteps"] = ours["data"]["timesteps"]
    for table in ours:
        if ours[table] != theirs[table]:
            raise DataError(f"{path}: differs from the run in [{table}], not only in timesteps")


def _retrained_accuracy(
    trained: TrainedModel, quantized: bool, folder: PathLike | None
) -> tuple[int, float]:
    """Timesteps of a run, and its accuracy after the last one."""
    test = load_recipe_dataset(trained.recipe, folder).test
    accuracy = model_accuracy(trained.network, test, quantized)
    return len(accuracy), float(accuracy[-1])


def _evaluate_early_exit(trained: TrainedModel, data: Dataset) -> tuple[EarlyExitPoint, ...]:
    if trained.network.readout.decision != "last":  # an early exit compares the last states
        return ()
    training = trained.recipe.training
    _, validation = train_val_split(data, training.validation_per_class, training.seed)
    if validation is None:
        return ()
    network = convert(trained)
    held_out, logits = (run_logits(network, part, cpu.run) for part in (validation, data.test))
    points = []
    for loss in MAX_ACCURACY_LOSSES:
        try:
            rule = calibrate_by_accuracy(held_out, validation.labels, loss)
        except DataError:
            continue  # too few validation samples for so small a loss
        stats = evaluate_exits(logits, data.test.labels, rule)
        points.append(EarlyExitPoint(loss, stats.mean_steps, stats.accuracy))
    return tuple(points)
