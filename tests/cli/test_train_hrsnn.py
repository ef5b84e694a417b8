"""`pumice hrsnn` on twenty small clips."""

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
target_rate = { low = 0.05, high = 0.2 }
"""
pytestmark = pytest.mark.usefixtures("bars")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "bars.toml"
    path.write_text(RECIPE)
    return path


def test_a_recipe_gives_a_network_and_what_it_is_worth(recipe: Path, tmp_path: Path) -> None:
    told = pumice("hrsnn", recipe, "-o", tmp_path / "run", "--json").document
    assert 0.5 < told["accuracy"] <= 1 and 0 <= told["untrained"] <= 1
    assert read_network(tmp_path / "run" / "network.pumice").output == "excitatory"
    shown = pumice("hrsnn", recipe, "-o", tmp_path / "run").out
    assert f"right       {100 * told['accuracy']:.1f} %" in shown


def test_a_search_goes_on_and_shows_what_nothing_beats(recipe: Path, tmp_path: Path) -> None:
    run = ("hrsnn", recipe, "-o", tmp_path / "run", "--search")
    assert pumice(*run, "--json").document["trials"] == 2
    told = pumice(*run, "--set", "search.trials=3", "--json").document
    assert told["trials"] == 3 and told["front"]
    assert "--set hrsnn.target_rate=" in pumice(*run).out.replace("\n", "")
