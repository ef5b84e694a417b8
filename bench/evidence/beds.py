"""Data on which the losses are compared: recipe tables, splits, and regimes of fit.

Test samples are the same for all seeds. Validation samples are those on which settings were chosen;
no cell trains on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.evidence.cells import Context
from pumice.train import Recipe
from pumice.train.data import Dataset, FrameSet, load

Settings = Mapping[str, Any]
POOL_SEED = 60_000  # draws validation samples and folds, for all cells
QUICK_SAMPLES = 60


@dataclass(frozen=True)
class Bed:
    """A dataset, the network for it, and how long it trains.

    Attributes:
        folder: Folder of the data.
        data: Table `[data]` of the recipe.
        network: Table `[network]`.
        training: Table `[training]`.
        augment: Table `[augment]`.
        regimes: Changes by regime: "samples" drawn for training, and tables of the recipe.
        validation: Validation samples that are drawn from the training part; 0 where the data has
            a part of its own for them.
        folds: Folds of cross-validation, each of which is the test part of a cell; 0: none.
    """

    folder: str
    data: Settings
    network: Settings
    training: Settings
    augment: Settings
    regimes: Mapping[str, Settings] = field(default_factory=lambda: {"": {}})
    validation: int = 0
    folds: int = 0


SHIFTED = {"shift": 1, "flip": True}
AUDIO = {
    "name": "folder",
    "format": "audio",
    "class_pattern": r"(\d)_",
    "size": 32,
    "split": {
        "by": "group",
        "pattern": r"_(\d+)\.wav",
        "test_groups": [str(k) for k in range(10)],
        "validation_groups": [str(k) for k in range(10, 15)],
    },
}
MASKED = {"frequency_mask": 6, "time_mask": 6}
BEDS: dict[str, Bed] = {
    # 84,000 samples in each regime: the network underfits 6,000 augmented samples, fits 1,000
    # augmented ones, and overfits these without augmentation.
    "fashion-events": Bed(
        "fashion_mnist",
        {"name": "fashion-events", "timesteps": 10},
        {
            "channels": [16, 32],
            "kernels": [3, 3],
            "strides": [1, 2],
            "hidden": [128],
            "neuron": {"voltage_decay": 0.5},
        },
        {"batch_size": 64, "lr": 4e-3, "weight_decay": 1e-2},
        SHIFTED,
        {
            "underfit": {"samples": 6_000, "training": {"epochs": 14, "qat_epochs": 4}},
            "well-fit": {"samples": 1_000, "training": {"epochs": 84, "qat_epochs": 24}},
            "overfit": {
                "samples": 1_000,
                "training": {"epochs": 84, "qat_epochs": 24},
                "augment": {"shift": 0, "flip": False},
            },
        },
        validation=2_000,
    ),
    "N-MNIST": Bed(
        "nmnist900",
        {"name": "nmnist", "timesteps": 10},
        {
            "channels": [16, 32],
            "kernels": [3, 3],
            "strides": [2, 2],
            "hidden": [256],
            "neuron": {"voltage_decay": 0.8},
        },
        {"epochs": 24, "qat_epochs": 8, "batch_size": 16, "lr": 4e-3, "weight_decay": 1e-2},
        {"shift": 2},
        folds=3,
    ),
    "spoken digits, 6 steps": Bed(
        "spoken_digits",
        {
            **AUDIO,
            "timesteps": 6,
            "window": 600_000,
            "audio": {"window_ms": 32, "hop_ms": 20, "reference": "peak"},
        },
        {"channels": [16, 32, 48], "hidden": [128], "recurrent": True},
        {"epochs": 20, "qat_epochs": 5, "batch_size": 64, "lr": 5e-3, "weight_decay": 2e-2},
        MASKED,
    ),
    "spoken digits, 50 steps": Bed(
        "spoken_digits",
        {
            **AUDIO,
            "timesteps": 50,
            "window": 500_000,
            "encoding": "delta",
            "audio": {"window_ms": 25, "hop_ms": 10, "reference": "peak"},
        },
        {"channels": [], "hidden": [128, 128], "recurrent": True, "neuron": {"voltage_decay": 0.1}},
        {"epochs": 20, "qat_epochs": 5, "batch_size": 64, "lr": 5e-3, "weight_decay": 2e-2},
        {"frequency_mask": 6},
    ),
}


def make_settings(name: str, regime: str, loss: Settings, fold: int = 0) -> dict[str, Any]:
    """Settings of a cell on a bed: its name, the fold, and the recipe without the folder."""
    bed = BEDS[name]
    changes = dict(bed.regimes[regime])
    samples = changes.pop("samples", 0)
    tables = ("data", "network", "training", "augment")
    recipe = {each: {**getattr(bed, each), **changes.get(each, {})} for each in tables}
    return {"bed": name, "samples": samples, "fold": fold, "recipe": {**recipe, "loss": loss}}


def prepare(settings: Settings, seed: int, context: Context) -> tuple[Recipe, Dataset]:
    """Build the recipe of a cell and draw its samples, in memory, with a validation part."""
    bed, tables = BEDS[settings["bed"]], settings["recipe"]
    training = {**tables["training"], "seed": seed, "num_workers": 0}
    if context.quick:
        training |= {"epochs": 2, "qat_epochs": 1, "batch_size": 20}
    data = {**tables["data"], "folder": context.data / bed.folder}
    recipe = Recipe.model_validate({**tables, "data": data, "training": training})
    parts = draw_samples(load(**recipe.data.model_dump()), bed, settings, seed)
    train, test = (_read(part, context) for part in (parts.train, parts.test))
    validation = _read(parts.validation, context) if parts.validation else None
    name, digest, provenance = parts.name, parts.digest, parts.provenance
    return recipe, Dataset(name, train, test, parts.classes, digest, provenance, validation)


def _read(samples: FrameSet, context: Context) -> FrameSet:
    """Samples in memory, read once; few of them with `quick`."""
    part = samples[:QUICK_SAMPLES] if context.quick else samples
    return FrameSet(part.events, part.labels)


def draw_samples(data: Dataset, bed: Bed, settings: Settings, seed: int) -> Dataset:
    """Draw training, validation and test samples.

    Of folds, one is the test part, and there are no validation samples: settings were chosen on
    other beds. Else, the seed draws `samples` of those that are not for validation.
    """
    if bed.folds:
        return draw_fold(data, bed.folds, settings["fold"])
    train, validation = data.train, data.validation
    if bed.validation:
        order = np.random.default_rng(POOL_SEED).permutation(len(train))
        validation, train = train[order[: bed.validation]], train[order[bed.validation :]]
    if settings["samples"]:
        train = train[np.random.default_rng(seed).permutation(len(train))[: settings["samples"]]]
    name, digest, provenance = data.name, data.digest, data.provenance
    return Dataset(name, train, data.test, data.classes, digest, provenance, validation)


def draw_fold(data: Dataset, folds: int, fold: int) -> Dataset:
    """Take one of the folds of all samples of `data` for test; each has all classes."""
    events = np.concatenate([data.train.events, data.test.events], axis=1)
    samples = FrameSet(events, np.concatenate([data.train.labels, data.test.labels]))
    number = np.empty(len(samples), np.int64)
    generator = np.random.default_rng(POOL_SEED)
    for label in range(data.classes):
        members = generator.permutation(np.flatnonzero(samples.labels == label))
        number[members] = np.arange(len(members)) % folds
    train, test = (samples[np.flatnonzero(part)] for part in (number != fold, number == fold))
    return Dataset(data.name, train, test, data.classes, data.digest, data.provenance)
