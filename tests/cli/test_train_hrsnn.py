"""`pumice train-hrsnn` on twenty small clips."""

from pathlib import Path

import pytest
from command import pumice

from pumice.runtime import read_network

RECIPE = """
validation = 3
[data]
name = "digit-motions"
[readout]
bins = 2
[hrsnn]
excitatory = 20
inhibitory = 5
in_degree = 4
input_degree = 6
epochs = 1
[search]
trials = 2
[search.ranges]
target_excitatory = { low = 0.05, high = 0.2 }
"""
pytestmark = pytest.mark.usefixtures("bars")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "bars.toml"
    path.write_text(RECIPE)
    return path


def test_a_recipe_trains_a_network_and_reports_its_accuracy(recipe: Path, tmp_path: Path) -> None:
    result = pumice("train-hrsnn", recipe, "-o", tmp_path / "run", "--json").document
    assert 0.5 < result["accuracy"] <= 1 and 0 <= result["untrained"] <= 1
    assert read_network(tmp_path / "run" / "network.pumice").output == "excitatory"
    again = pumice("train-hrsnn", recipe, "-o", tmp_path / "run")
    assert again.status == 2 and "holds a run already" in again.err
    printed = pumice("train-hrsnn", recipe, "-o", tmp_path / "other").out
    assert f"accuracy             {100 * result['accuracy']:.1f} %" in printed


def test_a_search_continues_and_prints_its_pareto_front(recipe: Path, tmp_path: Path) -> None:
    run = ("train-hrsnn", recipe, "-o", tmp_path / "run", "--search")
    assert pumice(*run, "--json").document["trials"] == 2
    search = pumice(*run, "--set", "search.trials=3", "--json").document
    assert search["trials"] == 3 and search["front"]
    assert "--set hrsnn.target_excitatory=" in pumice(*run).out.replace("\n", "")
