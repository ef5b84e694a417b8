"""One cell of `bench.low_timesteps`: a data set, an objective and a seed, trained and measured."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.low_timesteps_settings import SETS, Name, prepare_cell
from pumice.cli.engines import get_engine, select_engines
from pumice.cli.options import EngineName
from pumice.runtime import Network
from pumice.runtime.early_exit import EarlyExit
from pumice.runtime.engines import cpu
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
from pumice.train.evaluation.evaluate import iter_batches

LAVA_CELL, VERIFY_SAMPLES = ("ETC", 0), 8  # the cells that Lava runs, too, and how much of them
MAX_ACCURACY_LOSS = 0.005  # accuracy that early stops may lose


def cell_key(name: Name, quick: bool) -> str:
    """Return what a cell is called in the file of results."""
    return "/".join((*map(str, name), *(["quick"] if quick else [])))


def measure_cell(name: Name, folder: Path, quick: bool) -> dict[str, Any]:
    """Train the cell and return its curves on the test samples: floats, integers, early stops."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    recipe, data, validation = prepare_cell(name, folder, quick)
    with tempfile.TemporaryDirectory() as run:
        trained = train_recipe(recipe, data, Path(run))
    test = data.test
    said = predict_logits(trained.network, test, quantized=False)
    network = convert(trained)
    whole = run_logits(network, test, cpu.run)
    risk, rule = calibrate_early_exit(network, validation, recipe, SETS[name[0]]["views"])
    stops = evaluate_exits(whole, test.labels, rule)
    stopping = replace(network, early_exit=rule)
    compared = ["cpu", "onnx", *(["lava"] if name[1:] == LAVA_CELL else [])]
    return {
        "float": accuracy_from_logits(said, test.labels).tolist(),
        "integers": accuracy_from_logits(whole, test.labels).tolist(),
        "agreement": prediction_agreement(said).tolist(),
        "calibration_error": expected_calibration_error(said, test.labels).tolist(),
        "exit": {
            "risk": risk,
            "thresholds": list(rule.thresholds),
            "steps": stops.mean_steps,
            "counts": list(stops.counts),
            "lost": stops.full_accuracy - stops.accuracy,
            "earliest": oracle_exit_step(whole, test.labels),
            "operations_saved": operations_saved(network, stopping, test),
            "same_in": verify_engines(stopping, test, [*select_engines(",".join(compared))]),
        },
        "samples": {
            "train": len(data.train),
            "validation": len(validation),
            "test": len(test),
        },
        "seconds": time.perf_counter() - began,
    }


def calibrate_early_exit(
    network: Network, validation: FrameSet, recipe: Recipe, views: int
) -> tuple[float, EarlyExit]:
    """Return the risk of early exits, and the rule set for it on the validation samples.

    With `views` so many varied copies of each sample stop it, too, and none may lose: no sample
    does then with any of its copies, which grants 1 / (samples + 1) of new samples and more.
    """
    number = len(validation)
    risk = max(MAX_ACCURACY_LOSS, 1 / (number + 1))
    if not views:
        return risk, calibrate_by_accuracy(
            run_logits(network, validation, cpu.run), validation.labels, risk
        )
    torch.manual_seed(recipe.training.seed)
    clips = torch.from_numpy(validation.events.copy()).float()
    copies = [clips, *(augment(clips, recipe.augment) for _ in range(views))]
    frames = torch.cat(copies, dim=1).byte().numpy()
    labels = np.tile(validation.labels, views + 1)
    said = run_logits(network, FrameSet(frames, labels), cpu.run)
    return 1 / (number + 1), calibrate_by_accuracy(said, labels, 1 / (len(labels) + 1))


def operations_saved(network: Network, stopping: Network, test: FrameSet) -> float:
    """Return the share of synaptic operations that early stops save on the test samples."""
    spent = [0.0, 0.0]
    for events, _ in iter_batches(test, 100):
        for place, each in enumerate((network, stopping)):
            spent[place] += count_ops(
                each, cpu.run(each, events, "output")
            ).total_synaptic_operations.sum()
    return float(1 - spent[1] / max(spent[0], 1))


def verify_engines(stopping: Network, test: FrameSet, names: list[EngineName]) -> dict[str, bool]:
    """Return which engines stop each sample where the reference does, with every value the same.

    A few samples of the whole test set, evenly spaced: Lava takes seconds for each.
    """
    few = test.events[:, :: max(len(test) // VERIFY_SAMPLES, 1)]
    told = verify(stopping, few, {name: get_engine(name) for name in names})
    return {verdict.engine: verdict.passed for verdict in told.results}
