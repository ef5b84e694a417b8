"""Calibrate early-exit thresholds on samples that took no part in training."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...runtime.batches import iter_batches
from ...runtime.engines import cpu
from ...runtime.errors import DataError
from ...runtime.exit_calibration import calibrate_by_accuracy, calibrate_by_coverage
from ...runtime.network import Network
from ...runtime.trace import logits_over_time
from .. import data
from ..data.inputs import Inputs, LazyInputs

DEFAULT_ACCURACY_LOSS = 0.01


def calibrate_early_exit(
    network: Network,
    inputs: Inputs | LazyInputs | None = None,
    *,
    max_accuracy_loss: float | None = None,
    coverage: float | None = None,
    folder: str | os.PathLike[str] | None = None,
) -> Network:
    """Set early-exit thresholds with the guarantee of conformal risk control.

    Args:
        network: The network; an early exit that it has is replaced.
        inputs: Held-out samples; None for the validation samples of the recipe that trained it.
        max_accuracy_loss: Maximum expected loss of accuracy, 0 to 1 (default 0.01). Needs labels.
        coverage: Minimum probability that the prediction equals that after all timesteps, 0 to 1;
            needs no labels. Excludes `max_accuracy_loss`.
        folder: The folder of the dataset, if not that of the recipe.

    Returns:
        The network with thresholds; its provenance states the criterion and the number of samples.

    Raises:
        DataError: There are too few samples for the criterion, or no validation samples.
    """
    if max_accuracy_loss is not None and coverage is not None:
        raise DataError("max_accuracy_loss and coverage: needs one of them")
    network = replace(network, early_exit=None)
    held_out = validation_inputs(network, folder) if inputs is None else inputs
    logits = np.concatenate(
        [
            logits_over_time(network, cpu.run(network, events, "output"))
            for events, _ in iter_batches(network, held_out)
        ],
        axis=1,
    )
    criterion: Literal["coverage", "accuracy_loss"]
    if coverage is not None:
        criterion, value = "coverage", coverage
        rule = calibrate_by_coverage(logits, coverage)
    elif held_out.labels is None:
        raise DataError(f"{held_out.name}: has no labels; calibrate by coverage, which needs none")
    else:
        criterion = "accuracy_loss"
        value = DEFAULT_ACCURACY_LOSS if max_accuracy_loss is None else max_accuracy_loss
        rule = calibrate_by_accuracy(logits, held_out.labels, value)
    record = {"early_exit": {criterion: value, "samples": held_out.samples}}
    return replace(network, early_exit=rule, provenance={**network.provenance, **record})


def validation_inputs(network: Network, folder: str | os.PathLike[str] | None = None) -> LazyInputs:
    """Validation samples of the recipe that trained `network`.

    Raises:
        DataError: The recipe kept no samples for validation.
    """
    recipe: dict[str, Any] = network.provenance.get("recipe") or {}
    training = recipe.get("training", {})
    if "fit" in recipe:  # the keys of format version 1
        fit = recipe["fit"]
        training = {"validation_per_class": fit.get("validation"), "seed": fit.get("seed", 0)}
    if not training.get("validation_per_class"):
        raise DataError(
            "the network's recipe kept no validation samples: train with "
            "--set training.validation_per_class=20, or name some with --held-out"
        )
    options = {**recipe["data"], **({"folder": Path(folder)} if folder else {})}
    _, validation = data.train_val_split(
        data.load(**options), training["validation_per_class"], training["seed"]
    )
    assert validation is not None
    return LazyInputs(network, validation, "validation")
