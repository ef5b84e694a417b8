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


def test_the_three_curves_stand_apart(recipe: Path, run: Path, tmp_path: Path) -> None:
    pumice("train", recipe, "-o", tmp_path / "two", "--set", "data.timesteps=2")
    told = pumice("eval", run, "--retrained", tmp_path / "two", "--json").document
    assert len(told["accuracy"]) == len(told["agreement"]) == len(told["calibration_error"]) == 4
    assert told["agreement"][-1] == 1.0 and list(told["retrained"]) == ["4"]  # bars have 4 steps
    assert [point["risk"] for point in told["anytime"]] == [0.1]  # of 12 samples, 1/13 is 0.08
    assert told["epoch"] == "last" and 1 <= told["anytime"][0]["steps"] <= 4


def test_people_see_them(run: Path) -> None:
    out = pumice("eval", run).out
    assert "agreement with the last" in out and "stopped early, risk" in out


def test_a_run_of_another_recipe_is_no_point_of_the_retrained_curve(
    recipe: Path, run: Path, tmp_path: Path
) -> None:
    pumice("train", recipe, "-o", tmp_path / "other", "--set", "training.epochs=1")
    answer = pumice("eval", run, "--retrained", tmp_path / "other")
    assert answer.status == 2 and "differs from the run in [training]" in answer.err


def test_quantised_is_as_converted(run: Path) -> None:
    told = pumice("eval", run, "--quantised", "--json").document
    network = convert(read_trained_model(run))
    test = sets.load("digits-events").test
    assert told["accuracy"] == network_accuracy(network, test, cpu.run).tolist()


def test_early_stops_are_set_on_the_samples_the_recipe_kept(run: Path) -> None:
    pumice("convert", run)
    told = pumice("exit", run / "network.pumice", "--loss", "0.1", "--json").document
    assert told["held_out"] == 12 and told["samples"] == 20
    assert told["full_accuracy"] - told["accuracy"] <= 0.5
