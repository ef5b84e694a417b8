"""One cell of `bench.low_timesteps`: a data set, an objective and a seed, trained and measured."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pumice.cli.engines import chosen, engine
from pumice.cli.options import EngineName
from pumice.runtime import Network
from pumice.runtime.conform import conform
from pumice.runtime.counts import counted
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
from pumice.train.data import Data, FrameSet, load, parted, split_off
from pumice.train.evaluate import batches

Name = tuple[str, str, int]
PROVED, PROVED_SAMPLES = ("ETC", 0), 8  # the cells that Lava runs, too, and how much of them
LOSS = 0.005  # accuracy that early stops may lose

OBJECTIVES: dict[str, dict[str, Any]] = {
    "cross-entropy": {"cross_entropy": {}},
    "TET": {"tet": {}},
    "ETC": {"cross_entropy": {}, "etc": {}},
    "TCL": {"tet": {}, "tcl": {}},
    "STCL": {"tet": {}, "stcl": {}},
    "from the mean": {"tet": {}, "from_mean": {}},
    "from the next step": {"tet": {}, "from_next_step": {}},
    "both of these": {"tet": {}, "from_mean": {}, "from_next_step": {}},
    "strong to weak": {"cross_entropy": {}, "strong_to_weak": {}},
    "weak to strong": {"cross_entropy": {}, "weak_to_strong": {}},
}

# Folder and recipe; `test` samples of each class are drawn, or 0 where the set has a test part.
SETS: dict[str, dict[str, Any]] = {
    "N-MNIST": {
        "folder": "nmnist900",
        "data": {"name": "nmnist", "timesteps": 10},
        "network": {"channels": [16, 32], "kernels": [3, 3], "strides": [2, 2], "hidden": [512]},
        "augment": {"shift": 2},
        "fit": {"epochs": 24, "quantised_epochs": 8, "validation": 20, "weight_decay": 1e-2},
        "test": 20,
    },
    "DVS gestures": {
        "folder": "dvs_gesture6",
        "data": {"name": "dvs-gesture", "timesteps": 10, "window": 50_000, "pool": 4},
        "network": {"channels": [8, 16], "kernels": [3, 3], "strides": [2, 2], "hidden": [64]},
        "augment": {"shift": 2},
        "fit": {"epochs": 16, "quantised_epochs": 6, "validation": 5, "batch": 16},
        "test": 0,
    },
    "CIFAR-10": {
        "folder": "cifar10_6k",
        "data": {"name": "cifar10", "timesteps": 4, "pool": 2, "value_bits": 4},
        "network": {"channels": [24, 48], "kernels": [3, 3], "strides": [1, 2], "hidden": [128]},
        "augment": {"shift": 1, "flip": True},
        "fit": {"epochs": 10, "quantised_epochs": 4, "validation": 20, "batch": 64},
        "test": 0,
    },
}
QUICK = {"epochs": 2, "quantised_epochs": 1, "validation": 3}
QUICK_SAMPLES = 12  # of each class


def key(name: Name, quick: bool) -> str:
    """Return what a cell is called in the file of results."""
    return "/".join((*map(str, name), *(["quick"] if quick else [])))


def measured(name: Name, folder: Path, quick: bool) -> dict[str, Any]:
    """Train the cell and return its curves on the test samples: floats, integers, early stops."""
    torch.set_num_threads(1)
    began = time.perf_counter()
    recipe, data = prepared(name, folder, quick)
    with tempfile.TemporaryDirectory() as run:
        trained = fit(recipe, data, Path(run))
    test = data.test
    said = trained_answers(trained.network, test, quantised=False)
    network, _ = converted(trained)
    _, validation = parted(data, recipe.fit.validation, recipe.fit.seed)
    assert validation is not None
    held, whole = (network_answers(network, part, fast.run) for part in (validation, test))
    risk = max(LOSS, 1 / (len(validation) + 1))
    rule = by_loss(held, validation.labels, risk)
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
        "samples": {"train": len(data.train) - len(validation), "test": len(test)},
        "seconds": time.perf_counter() - began,
    }


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


def prepared(name: Name, folder: Path, quick: bool) -> tuple[Recipe, Data]:
    """Return the recipe of a cell and its data; the seed draws the test samples of N-MNIST."""
    which, objective, seed = name
    settings = SETS[which]
    options = {**settings["data"], "folder": folder / settings["folder"]}
    fit_options = {**settings["fit"], **(QUICK if quick else {}), "seed": seed}
    recipe = Recipe.model_validate(
        {
            "data": options,
            "network": settings["network"],
            "objective": OBJECTIVES[objective],
            "augment": settings["augment"],
            "fit": fit_options,
        }
    )
    data = load(**recipe.data.model_dump())
    train, test = data.train, data.test
    if settings["test"]:
        frames = np.concatenate([train.frames, test.frames])
        labels = np.concatenate([train.labels, test.labels])
        train, test = split_off(FrameSet(frames, labels), settings["test"], seed)
    if quick:
        train, test = (_few(part) for part in (train, test))
    return recipe, Data(data.name, train, test, data.classes, data.digest, data.provenance)


def _few(whole: FrameSet) -> FrameSet:
    chosen = np.concatenate(
        [np.flatnonzero(whole.labels == k)[:QUICK_SAMPLES] for k in np.unique(whole.labels)]
    )
    return FrameSet(whole.frames[chosen], whole.labels[chosen])
