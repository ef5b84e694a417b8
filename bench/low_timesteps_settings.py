"""Losses, datasets and splits of `bench.low_timesteps`."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pumice.train import Recipe
from pumice.train.data import Dataset, FrameSet, hold_out, load

Name = tuple[str, str, int]

OBJECTIVES: dict[str, dict[str, Any]] = {
    "cross-entropy": {"cross_entropy": {}},
    "TET": {"tet": {}},
    "ETC": {"cross_entropy": {}, "etc": {"weight": 0.3}},
    "TCL": {"tet": {}, "tcl": {}},
    "STCL": {"tet": {}, "stcl": {}},
    "from the mean": {"tet": {}, "twsd": {}},
    "from the next step": {"tet": {}, "tpd": {}},
    "both of these": {"tet": {}, "twsd": {}, "tpd": {}},
    "strong to weak": {"cross_entropy": {}, "strong_to_weak": {}},
    "weak to strong": {"cross_entropy": {}, "weak_to_strong": {}},
}

# Folder and recipe. Of each class, `test` samples are drawn once for all seeds (0: the dataset has
# a test part) and `validation` samples are held out by the seed. Where samples overlap in time with
# `overlap` others, the last are held out and that many before them are dropped. Early exit is
# calibrated on the validation samples and on `views` augmented copies of each.
SETS: dict[str, dict[str, Any]] = {
    "N-MNIST": {
        "folder": "nmnist900",
        "data": {"name": "nmnist", "timesteps": 10},
        "network": {
            "channels": [16, 32],
            "kernels": [3, 3],
            "strides": [2, 2],
            "hidden": [256],
            "neuron": {"voltage_decay": 0.8},
        },
        "augment": {"shift": 2},
        "training": {"epochs": 24, "qat_epochs": 8, "batch_size": 16},
        "test": 30,
        "validation": 20,
        "overlap": 0,
        "views": 8,
    },
    "DVS gestures": {
        "folder": "dvs_gesture6",
        "data": {"name": "dvs-gesture", "timesteps": 10, "window": 50_000, "pool": 4},
        "network": {"channels": [8, 16], "kernels": [3, 3], "strides": [2, 2], "hidden": [64]},
        "augment": {"shift": 2},
        "training": {"epochs": 16, "qat_epochs": 6, "batch_size": 16},
        "test": 0,
        "validation": 17,
        "overlap": 3,
        "views": 8,
    },
    "CIFAR-10": {
        "folder": "cifar10_6k",
        "data": {"name": "cifar10", "timesteps": 4, "pool": 2, "value_bits": 4},
        "network": {"channels": [16, 32], "kernels": [3, 3], "strides": [1, 2], "hidden": [128]},
        "augment": {"shift": 1, "flip": True},
        "training": {"epochs": 8, "qat_epochs": 3, "batch_size": 32},
        "test": 0,
        "validation": 100,
        "overlap": 0,
        "views": 0,
    },
}
QUICK = {"epochs": 2, "qat_epochs": 1}
QUICK_SAMPLES, QUICK_VALIDATION = 12, 3  # per class


def prepare_cell(name: Name, folder: Path, quick: bool) -> tuple[Recipe, Dataset, FrameSet]:
    """Build the recipe of a cell, and load its training, test and validation samples."""
    dataset, objective, seed = name
    settings = SETS[dataset]
    recipe = Recipe.model_validate(
        {
            "data": {**settings["data"], "folder": folder / settings["folder"]},
            "network": settings["network"],
            "loss": OBJECTIVES[objective],
            "augment": settings["augment"],
            "training": {**settings["training"], **(QUICK if quick else {}), "seed": seed},
        }
    )
    data = load(**recipe.data.model_dump())
    train, test = data.train, data.test
    if settings["test"]:
        events = np.concatenate([train.events, test.events], axis=1)
        labels = np.concatenate([train.labels, test.labels])
        train, test = hold_out(FrameSet(events, labels), settings["test"], 0)
    if quick:
        train, test = (first_per_class(part, QUICK_SAMPLES) for part in (train, test))
    number = QUICK_VALIDATION if quick else settings["validation"]
    if settings["overlap"]:
        train, validation = split_last_per_class(train, number, settings["overlap"])
    else:
        train, validation = hold_out(train, number, seed)
    parts = Dataset(data.name, train, test, data.classes, data.digest, data.provenance)
    return recipe, parts, validation


def split_last_per_class(samples: FrameSet, number: int, overlap: int) -> tuple[FrameSet, FrameSet]:
    """Hold out the last `number` samples of each class, and drop `overlap` samples before them."""
    return (
        _slice_per_class(samples, slice(None, -number - overlap)),
        _slice_per_class(samples, slice(-number, None)),
    )


def first_per_class(samples: FrameSet, number: int) -> FrameSet:
    """Keep the first `number` samples of each class."""
    return _slice_per_class(samples, slice(number))


def _slice_per_class(samples: FrameSet, part: slice) -> FrameSet:
    indices: NDArray[np.int64] = np.concatenate(
        [np.flatnonzero(samples.labels == label)[part] for label in np.unique(samples.labels)]
    )
    return samples[indices]
