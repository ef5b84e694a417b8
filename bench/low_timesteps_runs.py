"""One cell of `bench.low_timesteps`: train and evaluate one dataset, loss and seed."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.low_timesteps_settings import SETS, Name, prepare_cell
from pumice.runtime import Network
from pumice.runtime.early_exit import EarlyExit
from pumice.runtime.engines import cpu
from pumice.runtime.engines.registry import select_engines
from pumice.runtime.exit_calibration import calibrate_by_accuracy, evaluate_exits, oracle_exit_step
from pumice.runtime.op_counts import count_ops
from pumice.runtime.verify import verify
from pumice.train import (
    Recipe,
    accuracy_from_logits,
    convert,
    expected_calibration_error,
    predict_logits,
    prediction_agreement,
    run_logits,
    train_recipe,
)
from pumice.train.data import FrameSet
from pumice.train.data.augment import augment

LAVA_CELL, VERIFY_SAMPLES = (
    ("ETC", 0),
    8,
)  # the cells verified in Lava, too, and the number of samples
MAX_ACCURACY_LOSS = 0.005  # of early exit


def cell_key(name: Name, quick: bool) -> str:
    """Key of a cell in the file of results."""
    return "/".join((*map(str, name), *(["quick"] if quick else [])))


def measure_cell(name: Name, folder: Path, quick: bool) -> dict[str, Any]:
    """Train the cell; measure its test accuracy in float, in integers and with early exit."""
    torch.set_num_threads(1)
    start = time.perf_counter()
    recipe, data, validation = prepare_cell(name, folder, quick)
    with tempfile.TemporaryDirectory() as run:
        trained = train_recipe(recipe, data, Path(run))
    test = data.test
    float_logits = predict_logits(trained.network, test, quantized=False)
    network = convert(trained)
    logits = run_logits(network, test, cpu.run)
    risk, rule = calibrate_early_exit(network, validation, recipe, SETS[name[0]]["views"])
    stats = evaluate_exits(logits, test.labels, rule)
    exiting = replace(network, early_exit=rule)
    engines = ["cpu", "onnx", *(["lava"] if name[1:] == LAVA_CELL else [])]
    return {
        "float": accuracy_from_logits(float_logits, test.labels).tolist(),
        "integer": accuracy_from_logits(logits, test.labels).tolist(),
        "agreement": prediction_agreement(float_logits).tolist(),
        "calibration_error": expected_calibration_error(float_logits, test.labels).tolist(),
        "exit": {
            "risk": risk,
            "thresholds": list(rule.thresholds),
            "steps": stats.mean_steps,
            "counts": list(stats.counts),
            "lost": stats.full_accuracy - stats.accuracy,
            "oracle_steps": oracle_exit_step(logits, test.labels),
            "operations_saved": operations_saved(network, exiting, test),
            "passed": verify_engines(exiting, test, engines),
        },
        "samples": {
            "train": len(data.train),
            "validation": len(validation),
            "test": len(test),
        },
        "seconds": time.perf_counter() - start,
    }


def calibrate_early_exit(
    network: Network, validation: FrameSet, recipe: Recipe, views: int
) -> tuple[float, EarlyExit]:
    """Calibrate early exit on the validation samples; return its risk and its thresholds.

    With `views`, that many augmented copies of each sample are added and none may be lost, which
    guarantees a risk of at most 1 / (samples + 1) on new samples.
    """
    samples = len(validation)
    risk = max(MAX_ACCURACY_LOSS, 1 / (samples + 1))
    if not views:
        return risk, calibrate_by_accuracy(
            run_logits(network, validation, cpu.run), validation.labels, risk
        )
    torch.manual_seed(recipe.training.seed)
    clips = torch.from_numpy(validation.events.copy()).float()
    copies = [clips, *(augment(clips, recipe.augment) for _ in range(views))]
    frames = torch.cat(copies, dim=1).byte().numpy()
    labels = np.tile(validation.labels, views + 1)
    logits = run_logits(network, FrameSet(frames, labels), cpu.run)
    return 1 / (samples + 1), calibrate_by_accuracy(logits, labels, 1 / (len(labels) + 1))


def operations_saved(network: Network, exiting: Network, test: FrameSet) -> float:
    """Fraction of synaptic operations that early exit saves on the test samples."""
    totals = [0.0, 0.0]
    for events, _ in test.batches(100):
        for index, each in enumerate((network, exiting)):
            counts = count_ops(each, cpu.run(each, events, "output"))
            totals[index] += counts.total_synaptic_operations.sum()
    return float(1 - totals[1] / max(totals[0], 1))


def verify_engines(exiting: Network, test: FrameSet, engines: list[str]) -> dict[str, bool]:
    """Verify exits and all values of `engines` against the reference.

    A few test samples, evenly spaced, are used, since Lava takes seconds for each.
    """
    events = test.events[:, :: max(len(test) // VERIFY_SAMPLES, 1)]
    report = verify(exiting, events, select_engines(engines))
    return {result.engine: result.passed for result in report.results}
