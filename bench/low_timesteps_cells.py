"""One cell of `bench.low_timesteps`: a data set, an objective and a seed, trained and measured."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.low_timesteps_settings import SETS, Name, prepared
from pumice.cli.engines import chosen, engine
from pumice.cli.options import EngineName
from pumice.runtime import Network
from pumice.runtime.conform import conform
from pumice.runtime.counts import counted
from pumice.runtime.early_exit import EarlyExit
from pumice.runtime.engines import fast
from pumice.runtime.thresholds import by_loss, earliest, outcome
from pumice.train import (
    Recipe,
    agreement,
    calibration_errors,
    converted,
    fit,
    network_answers,
    trained_answers,
    truncated,
)
from pumice.train.augment import varied
from pumice.train.data import FrameSet
from pumice.train.evaluate import batches

PROVED, PROVED_SAMPLES = ("ETC", 0), 8  # the cells that Lava runs, too, and how much of them
LOSS = 0.005  # accuracy that early stops may lose


def key(name: Name, quick: bool) -> str:
    """Return what a cell is called in the file of results."""
    return "/".join((*map(str, name), *(["quick"] if quick else [])))


def measured(name: Name, folder: Path, quick: bool) -> dict[str, Any]:
    """Train the cell and return its curves on the test samples: floats, integers, early stops."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    recipe, data, validation = prepared(name, folder, quick)
    with tempfile.TemporaryDirectory() as run:
        trained = fit(recipe, data, Path(run))
    test = data.test
    said = trained_answers(trained.network, test, quantised=False)
    network, _ = converted(trained)
    whole = network_answers(network, test, fast.run)
    risk, rule = stopping_rule(network, validation, recipe, SETS[name[0]]["views"])
    stops = outcome(whole, test.labels, rule)
    stopping = replace(network, early_exit=rule)
    compared = ["fast", "onnx", *(["lava"] if name[1:] == PROVED else [])]
    return {
        "float": truncated(said, test.labels).tolist(),
        "integers": truncated(whole, test.labels).tolist(),
        "agreement": agreement(said).tolist(),
        "calibration_error": calibration_errors(said, test.labels).tolist(),
        "exit": {
            "risk": risk,
            "thresholds": list(rule.thresholds),
            "steps": stops.mean_steps,
            "counts": list(stops.counts),
            "lost": stops.full_accuracy - stops.accuracy,
            "earliest": earliest(whole, test.labels),
            "operations_saved": operations_saved(network, stopping, test),
            "same_in": same_in(stopping, test, [*chosen(",".join(compared))]),
        },
        "samples": {
            "train": len(data.train),
            "validation": len(validation),
            "test": len(test),
        },
        "seconds": time.perf_counter() - began,
    }


def stopping_rule(
    network: Network, validation: FrameSet, recipe: Recipe, views: int
) -> tuple[float, EarlyExit]:
    """Return the risk of early exits, and the rule set for it on the validation samples.

    With `views` so many varied copies of each sample stop it, too, and none may lose: no sample
    does then with any of its copies, which grants 1 / (samples + 1) of new samples and more.
    """
    number = len(validation)
    risk = max(LOSS, 1 / (number + 1))
    if not views:
        return risk, by_loss(
            network_answers(network, validation, fast.run), validation.labels, risk
        )
    torch.manual_seed(recipe.fit.seed)
    clips = torch.from_numpy(validation.frames.copy()).transpose(0, 1).float()
    copies = [clips, *(varied(clips, recipe.augment) for _ in range(views))]
    frames = torch.cat(copies, dim=1).transpose(0, 1).byte().numpy()
    labels = np.tile(validation.labels, views + 1)
    said = network_answers(network, FrameSet(frames, labels), fast.run)
    return 1 / (number + 1), by_loss(said, labels, 1 / (len(labels) + 1))


def operations_saved(network: Network, stopping: Network, test: FrameSet) -> float:
    """Return the share of synaptic operations that early stops save on the test samples."""
    spent = [0.0, 0.0]
    for events, _ in batches(test, 100):
        for place, each in enumerate((network, stopping)):
            spent[place] += counted(each, fast.run(each, events, "output")).total_operations.sum()
    return float(1 - spent[1] / max(spent[0], 1))


def same_in(stopping: Network, test: FrameSet, names: list[EngineName]) -> dict[str, bool]:
    """Return which engines stop each sample where the reference does, with every value the same.

    A few samples of the whole test set, evenly spaced: Lava takes seconds for each.
    """
    few = np.ascontiguousarray(test.frames[:: max(len(test) // PROVED_SAMPLES, 1)].swapaxes(0, 1))
    told = conform(stopping, few, {name: engine(name) for name in names})
    return {verdict.engine: verdict.agreed for verdict in told.verdicts}
