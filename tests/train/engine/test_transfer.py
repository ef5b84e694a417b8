"""Transfer learning: weights of another run by name of the layer, and frozen layers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pumice as pm
from pumice.runtime.errors import PumiceError
from pumice.train.engine.fit import train_recipe
from pumice.train.recipes.loader import load_recipe

SETTINGS = [
    "network={channels=[4],hidden=[8]}", "training.epochs=1", "training.qat_epochs=0",
    "data.timesteps=2", "training.batch_size=8", "loss={cross_entropy={}}",
]  # fmt: skip


def make_data(classes: int = 3) -> Any:
    random = np.random.default_rng(classes)
    events = (random.random((2, 24, 2, 8, 8)) < 0.3).astype(np.uint8)
    labels = np.arange(24) % classes
    return pm.datasets.from_arrays(events, labels, events[:, :6], labels[:6])


def train(folder: Path, *overrides: str, data: Any = None) -> Any:
    recipe = load_recipe("digits-events", [*SETTINGS, *overrides])
    return train_recipe(recipe, data or make_data(), folder)


def weights(trained: Any) -> dict[str, dict[str, torch.Tensor]]:
    return {layer.name: layer.state_dict() for layer in trained.network.layer_list}


def equal(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_frozen_layers_keep_the_weights_and_statistics_of_the_run(tmp_path: Path) -> None:
    source = train(tmp_path / "a")
    tuned = train(
        tmp_path / "b",
        f"transfer.weights={tmp_path / 'a'}",
        'transfer.freeze=["conv*"]',
        'transfer.skip=["output"]',
        data=make_data(2),
    )
    before, after = weights(source), weights(tuned)
    assert equal(before["conv1"], after["conv1"])
    assert not equal(before["dense2"], after["dense2"])
    assert after["output"]["projections.0.linear.weight"].shape[0] == 2
    record = tuned.provenance["transfer"]
    assert record["weights"] == str(tmp_path / "a") and len(record["sha256"]) == 64


def test_weights_are_where_the_run_starts(tmp_path: Path) -> None:
    source = train(tmp_path / "a")
    still = ["training.lr=1e-12", "training.weight_decay=0"]
    start = f"transfer.weights={tmp_path / 'a' / 'model.safetensors'}"
    tuned = train(tmp_path / "b", start, *still)
    other = train(tmp_path / "c", "training.seed=5", *still)
    name = "projections.0.linear.weight"
    for layer in ("conv1", "dense2", "output"):
        expected = weights(source)[layer][name]
        assert torch.allclose(weights(tuned)[layer][name], expected, atol=1e-6)
        assert not torch.allclose(weights(other)[layer][name], expected, atol=1e-3)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ('transfer.freeze=["cnv1"]', "transfer.freeze: no layer 'cnv1'; did you mean 'conv1'"),
        ("network.channels=[4,4]", "has no layer 'conv2'; did you mean|transfer.skip"),
        ("network.hidden=[9]", "dense2.projections.0.linear.weight has shape .9, 64., but that of"),
        ("network.recurrent=true", "layer dense2 of .* is of another kind"),
    ],
)
def test_weights_that_do_not_fit_are_an_error(tmp_path: Path, override: str, message: str) -> None:
    train(tmp_path / "a")
    with pytest.raises(PumiceError, match=message):
        train(tmp_path / "b", f"transfer.weights={tmp_path / 'a'}", override)
