"""Early-exit calibration on the validation samples that a recipe kept."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train import data as datasets
from pumice.train.data import Dataset, FrameSet
from pumice.train.engine.train import train
from pumice.train.evaluation.early_exit import calibrate_early_exit
from pumice.train.export import convert
from pumice.train.models import ConvNet


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    """Two classes, bright left or right, in place of any data set."""
    random, labels = np.random.default_rng(0), np.arange(60) % 2
    events = random.random((4, 60, 1, 4, 4)) < 0.2
    for half in (0, 1):
        events[:, labels == half, :, :, 2 * half : 2 * half + 2] |= True
    samples = FrameSet(events.astype(np.uint8), labels)
    dataset = Dataset("halves", samples[:48], samples[48:], 2, "digest")
    monkeypatch.setattr(datasets, "load", lambda **_: dataset)
    return dataset


def test_it_is_calibrated_on_the_samples_held_out_from_training(data: Dataset) -> None:
    model = ConvNet(data.input_shape, 2, channels=[], hidden=[4])
    train(model, data, epochs=4, batch_size=8, lr=2e-2, validation_per_class=12, seed=3)
    network = convert(model)
    calibrated = calibrate_early_exit(network, max_accuracy_loss=0.2)
    assert calibrated.early_exit is not None
    assert calibrated.provenance["early_exit"] == {"accuracy_loss": 0.2, "samples": 24}
    # The recipe's keys of format version 1 mean the same.
    recipe: dict[str, Any] = dict(network.provenance["recipe"])
    del recipe["training"]
    recipe["fit"] = {"validation": 12, "seed": 3}
    first = replace(network, provenance={**network.provenance, "recipe": recipe})
    assert calibrate_early_exit(first, max_accuracy_loss=0.2).early_exit == calibrated.early_exit


def test_a_recipe_without_validation_samples_is_an_error(data: Dataset) -> None:
    model = ConvNet(data.input_shape, 2, channels=[], hidden=[4])
    train(model, data, epochs=1, batch_size=8)
    with pytest.raises(DataError, match="--set training.validation_per_class=20"):
        calibrate_early_exit(convert(model))
