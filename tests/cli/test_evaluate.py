from pathlib import Path

import pytest
from command import pumice

from pumice.runtime.engines import cpu
from pumice.train import convert, network_accuracy, read_trained_model
from pumice.train import data as sets

RECIPE = """
[data]
name = "digits-events"
timesteps = 4
[network]
channels = [3]
kernels = [3]
strides = [2]
hidden = [8]
[training]
epochs = 3
qat_epochs = 1
batch_size = 4
validation_per_class = 6
"""
pytestmark = pytest.mark.usefixtures("bars")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "bars.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def run(recipe: Path, tmp_path: Path) -> Path:
    assert pumice("train", recipe, "-o", tmp_path / "run").status == 0
    return tmp_path / "run"


def test_the_three_accuracy_curves_are_kept_apart(recipe: Path, run: Path, tmp_path: Path) -> None:
    pumice("train", recipe, "-o", tmp_path / "two", "--set", "data.timesteps=2")
    result = pumice("evaluate", run, "--retrained", tmp_path / "two", "--json").document
    assert [len(result[key]) for key in ("accuracy", "agreement", "calibration_error")] == [4] * 3
    assert result["agreement"][-1] == 1.0 and list(result["retrained"]) == ["4"]  # of the clips
    losses = [point["max_accuracy_loss"] for point in result["early_exit"]]
    assert losses == [0.1]  # with 12 samples, 1/13 is 0.08
    assert result["select_epoch"] == "last" and 1 <= result["early_exit"][0]["mean_steps"] <= 4


def test_the_curves_are_printed(run: Path) -> None:
    out = pumice("evaluate", run).out
    assert "agreement with the last" in out and "early exit, maximum accuracy loss" in out


def test_a_run_of_another_recipe_is_an_error(recipe: Path, run: Path, tmp_path: Path) -> None:
    pumice("train", recipe, "-o", tmp_path / "other", "--set", "training.epochs=1")
    result = pumice("evaluate", run, "--retrained", tmp_path / "other")
    assert result.status == 2 and "differs from the run in [training]" in result.err


def test_the_quantized_accuracy_is_that_of_the_converted_network(run: Path) -> None:
    result = pumice("evaluate", run, "--quantized", "--json").document
    network = convert(read_trained_model(run))
    test = sets.load("digits-events").test
    assert result["accuracy"] == network_accuracy(network, test, cpu.run).tolist()


def test_early_exit_is_calibrated_on_the_validation_samples(run: Path) -> None:
    pumice("convert", run)
    result = pumice("calibrate-exit", run / "network.pumice", "--loss", "0.1", "--json").document
    assert result["calibration"]["samples"] == 12 and result["samples"] == 20
    assert result["full_accuracy"] - result["accuracy"] <= 0.5
