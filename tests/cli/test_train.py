from pathlib import Path

import pytest
from command import pumice

from pumice.report import read_report
from pumice.runtime import network_digest, read_network
from pumice.train import data as sets
from pumice.train import model_accuracy, read_trained_model

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
epochs = 2
qat_epochs = 1
batch_size = 8
"""
pytestmark = pytest.mark.usefixtures("bars")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "bars.toml"
    path.write_text(RECIPE)
    return path


def test_the_way_from_a_recipe_to_a_report(recipe: Path, tmp_path: Path) -> None:
    run, curve = tmp_path / "run", tmp_path / "float.json"
    trained = pumice("train", recipe, "-o", run, "--json")
    assert trained.document["run"] == str(run)
    judged = pumice("eval", run, "--json")
    curve.write_text(judged.out)
    told = pumice("convert", run, "--json").document
    network = read_network(run / "network.pumice")
    assert told["network"] == network_digest(network)
    assert [part["name"] for part in told["rounded"]] == [p.name for p in network.projections]
    options = ("--curve", f"float={curve}", "--engines", "cpu", "-o", run)
    assert pumice("report", run / "network.pumice", *options).status == 0
    report = read_report(run / "report.json")
    assert list(report.curves[0].accuracy) == judged.document["accuracy"]
    quantised = pumice("eval", run, "--quantised", "--json").document
    assert list(report.curves[1].accuracy) == quantised["accuracy"]
    assert report.title == "network on digits-events"


def test_an_evaluation_is_that_of_the_test_samples(recipe: Path, tmp_path: Path) -> None:
    pumice("train", recipe, "-o", tmp_path / "run")
    told = pumice("eval", tmp_path / "run", "--json").document
    trained = read_trained_model(tmp_path / "run")
    test = sets.load("digits-events").test
    assert told["samples"] == 20
    assert told["accuracy"] == model_accuracy(trained.network, test, False).tolist()


def test_a_setting_can_be_changed_and_a_wrong_one_is_named(recipe: Path, tmp_path: Path) -> None:
    changed = pumice(
        "train", recipe, "-o", tmp_path / "run", "--set", "training.epochs=1", "--json"
    )
    assert changed.document["provenance"]["recipe"]["training"]["epochs"] == 1
    wrong = pumice("train", recipe, "-o", tmp_path / "other", "--set", "training.epoch=1")
    assert wrong.status == 2 and "epoch" in wrong.err and not (tmp_path / "other").exists()


def test_a_run_is_not_overwritten_but_gone_on_with(recipe: Path, tmp_path: Path) -> None:
    run = ("train", recipe, "-o", tmp_path / "run")
    assert pumice(*run).status == 0
    again = pumice(*run)
    assert again.status == 2 and "--resume" in again.err
    assert pumice(*run, "--resume").status == 0


def test_people_see_what_rounding_did(recipe: Path, tmp_path: Path) -> None:
    pumice("train", recipe, "-o", tmp_path / "run")
    answer = pumice("convert", tmp_path / "run", "-o", tmp_path / "net.pumice")
    assert "weights off by" in answer.out and answer.out.endswith(f"{tmp_path / 'net.pumice'}\n")
