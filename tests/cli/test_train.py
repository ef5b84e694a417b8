from pathlib import Path

import pytest
from command import pumice

from pumice.cli import train
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


def test_a_recipe_is_trained_evaluated_converted_and_reported(recipe: Path, tmp_path: Path) -> None:
    run, curve = tmp_path / "run", tmp_path / "float.json"
    trained = pumice("train", recipe, "-o", run, "--json")
    assert trained.document["run"] == str(run)
    evaluated = pumice("evaluate", run, "--json")
    curve.write_text(evaluated.out)
    conversion = pumice("convert", run, "--json").document
    network = read_network(run / "network.pumice")
    assert conversion["network"] == network_digest(network)
    assert [part["name"] for part in conversion["projections"]] == [
        p.name for p in network.projections
    ]
    options = ("--curve", f"float={curve}", "--engines", "cpu", "-o", run)
    assert pumice("report", run / "network.pumice", *options).status == 0
    report = read_report(run / "report.json")
    assert list(report.curves[0].accuracy) == evaluated.document["accuracy"]
    quantized = pumice("evaluate", run, "--quantized", "--json").document
    assert list(report.curves[1].accuracy) == quantized["accuracy"]
    assert report.title == "network on digits-events"


def test_an_evaluation_uses_the_test_samples(recipe: Path, tmp_path: Path) -> None:
    pumice("train", recipe, "-o", tmp_path / "run")
    evaluation = pumice("evaluate", tmp_path / "run", "--json").document
    trained = read_trained_model(tmp_path / "run")
    test = sets.load("digits-events").test
    assert evaluation["samples"] == 20
    assert evaluation["accuracy"] == model_accuracy(trained.network, test, False).tolist()


def test_a_setting_can_be_overridden_and_an_unknown_one_is_an_error(
    recipe: Path, tmp_path: Path
) -> None:
    changed = pumice(
        "train", recipe, "-o", tmp_path / "run", "--set", "training.epochs=1", "--json"
    )
    assert changed.document["provenance"]["recipe"]["training"]["epochs"] == 1
    wrong = pumice("train", recipe, "-o", tmp_path / "other", "--set", "training.epoch=1")
    assert wrong.status == 2 and "epoch" in wrong.err and not (tmp_path / "other").exists()


def test_a_run_is_not_overwritten_but_resumed(recipe: Path, tmp_path: Path) -> None:
    run = ("train", recipe, "-o", tmp_path / "run")
    assert pumice(*run).status == 0
    again = pumice(*run)
    assert again.status == 2 and "--resume" in again.err
    assert pumice(*run, "--resume").status == 0


def test_the_quantization_errors_are_printed(recipe: Path, tmp_path: Path) -> None:
    pumice("train", recipe, "-o", tmp_path / "run")
    result = pumice("convert", tmp_path / "run", "-o", tmp_path / "net.pumice")
    assert "weight error" in result.out and result.out.endswith(f"{tmp_path / 'net.pumice'}\n")


def test_training_prints_a_line_an_epoch_then_accuracy_and_the_next_command(
    recipe: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    result = pumice("train", recipe, "-o", run)
    lines = result.err.splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch 1/2", "epoch 2/2"]
    header, *rows = result.out.splitlines()
    assert header.split() == ["accuracy", "T=1", "T=2", "T=3", "T=4"]
    assert [row.split()[0] for row in rows[:2]] == ["float", "integer"]
    assert "synaptic operations" in result.out
    assert result.out.endswith(f"next: pumice convert {run}\n")
    assert max(map(len, result.out.splitlines()[:3])) <= 60


def test_a_run_is_resumed_from_its_folder_alone(recipe: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    pumice("train", recipe, "-o", run, "--folder", tmp_path, "--set", "training.lr=0.001")
    for arguments in ((run, "--resume"), ("--resume", "-o", run)):
        document = pumice("train", *arguments, "--json").document
        assert document["provenance"]["recipe"]["training"]["lr"] == 0.001
        assert document["provenance"]["recipe"]["data"]["folder"] == str(tmp_path)
        assert len(document["test"]["accuracy"]) == 4


def test_an_interrupt_says_how_to_continue(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "print_epoch", interrupt)
    run = tmp_path / "my run"
    result = pumice("train", recipe, "-o", run)
    assert result.status == 130
    assert result.err == f"interrupted; to continue: pumice train --resume -o '{run}'\n"
    monkeypatch.undo()
