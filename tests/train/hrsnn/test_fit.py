"""Training by a recipe, from data to files."""

import json
from pathlib import Path

import numpy as np
import pytest

from pumice.runtime import read_network
from pumice.runtime.engines import cpu
from pumice.runtime.errors import RecipeError
from pumice.train.data import Dataset, FrameSet
from pumice.train.data.options import DataOptions
from pumice.train.hrsnn import HrsnnOptions, extract_features
from pumice.train.hrsnn.fit import SearchObjective, evaluate, fit
from pumice.train.hrsnn.network import build_recurrent_network
from pumice.train.hrsnn.recipe import HrsnnRecipe, ReadoutOptions
from pumice.train.recipes.loader import list_recipes, load_recipe

OPTIONS = HrsnnOptions(excitatory=40, inhibitory=10, in_degree=5, input_degree=6, epochs=1)
RECIPE = HrsnnRecipe(data=DataOptions(name="digit-motions"), hrsnn=OPTIONS, validation=3)


def moving_bars(samples: int, seed: int) -> FrameSet:
    """Bars that move down or up on a sensor of 4 x 4 pixels."""
    generator = np.random.default_rng(seed)
    clips, labels = np.zeros((samples, 12, 2, 4, 4), np.uint8), np.arange(samples) % 2
    for clip, label in zip(clips, labels, strict=True):
        for t in range(12):
            row = (t if label else -t) + generator.integers(2)
            clip[t, :, row % 4] = generator.random((2, 4)) < 0.7
    return FrameSet(clips.swapaxes(0, 1), labels)


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Train and test samples of the same two motions."""
    return Dataset("bars", moving_bars(40, 0), moving_bars(20, 1), 2, "0" * 64)


def test_a_run_writes_network_read_out_and_result(data: Dataset, tmp_path: Path) -> None:
    result = fit(RECIPE, data, tmp_path)
    assert result.accuracy > result.raw and result.spikes > 0 and result.synops > result.spikes
    assert 0.4 < result.thresholds_only <= 1 and 0 <= result.floor_fraction < 0.2
    document = json.loads((tmp_path / "result.json").read_text())
    assert (document["accuracy"], document["raw"]) == (result.accuracy, result.raw)
    network = read_network(tmp_path / "network.pumice")
    trace = cpu.run(network, data.test.events)
    spikes = np.concatenate([trace.spikes["excitatory"], trace.spikes["inhibitory"]], axis=2)
    with np.load(tmp_path / "readout.npz") as readout:
        features = extract_features(spikes[int(readout["first_step"]) :], int(readout["bins"]))
        scores = features @ readout["weights"].T + readout["offsets"]
    predictions = (scores[:, 0] > 0).astype(int)
    assert (predictions == data.test.labels).mean() > result.accuracy - 0.11


def test_a_read_out_of_the_second_half_reads_nothing_of_the_first(data: Dataset) -> None:
    recipe = RECIPE.model_copy(update={"readout": ReadoutOptions(bins=2, start=0.5)})
    network = build_recurrent_network(OPTIONS, data.input_shape)
    controls = {"untrained": network, "thresholds_only": network}
    first_half = data.train.events.copy()
    first_half[6:] = 0  # nothing is left to be read of the raw input
    silent = FrameSet(first_half, data.train.labels)
    result, _ = evaluate(network, controls, recipe, silent, silent)
    assert result.raw == 0.5
    features = extract_features(data.train.events, 2, 0.5)
    assert np.array_equal(features, extract_features(data.train.events[6:], 2))


def test_the_search_objective_uses_validation_samples(data: Dataset) -> None:
    objective = SearchObjective(RECIPE, data)
    accuracy, spikes = objective(OPTIONS)
    assert len(objective.validation) == 6 and len(objective.train) == 34
    assert 0.5 <= accuracy <= 1 and spikes > 0


def test_shipped_recipes_can_be_read() -> None:
    assert list_recipes("hrsnn") == ["digit-motions", "dvs-gesture", "spoken-pairs"]
    document = load_recipe("digit-motions", kind="hrsnn").data
    assert document is not None and document.label == "motion"


def test_a_distribution_with_a_negative_mean_is_rejected_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(
        '[data]\nname = "digit-motions"\n[hrsnn]\ntau_plus = { mean = -3.0 }\n'
    )
    message = "bad.toml: line 4: hrsnn.tau_plus.mean = -3.0: input should be greater than 0"
    with pytest.raises(RecipeError, match=message):
        load_recipe(str(tmp_path / "bad.toml"), kind="hrsnn")


def test_an_unknown_recipe_is_rejected_with_the_shipped_ones() -> None:
    with pytest.raises(RecipeError, match="nothing: no such file .* known are digit-motions"):
        load_recipe("nothing", kind="hrsnn")
