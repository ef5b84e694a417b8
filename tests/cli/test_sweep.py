from pathlib import Path

import pytest
from command import pumice

pytestmark = pytest.mark.usefixtures("bars")
SETTINGS = (
    "--set=training.epochs=1",
    "--set=training.qat_epochs=0",
    "--set=training.batch_size=8",
    "--set=network.hidden=[8]",
)


def test_a_sweep_prints_a_table_and_the_next_command(tmp_path: Path) -> None:
    sweep = (
        "sweep",
        "digits-events",
        "--param=training.lr=1e-3:1e-1:log",
        *SETTINGS,
        "--set=training.validation_per_class=4",
        "--trials=2",
        "--seeds=0,1",
        "-o",
        tmp_path,
    )
    result = pumice(*sweep)
    assert result.status == 0 and "±" in result.out
    assert result.err.count("trial ") == 2
    assert "next: pumice train digits-events --set training.lr=" in result.out
    trials = pumice(*sweep, "--json").document["trials"]
    assert len(trials) == 2 and {"mean", "deviation", "settings"} <= trials[0].keys()


def test_seeds_are_averaged(tmp_path: Path) -> None:
    train = ("train", "digits-events", *SETTINGS, "--seeds=0,3", "-o", tmp_path)
    result = pumice(*train)
    assert result.status == 0 and "mean ± standard deviation of 2 seeds" in result.out
    assert (tmp_path / "seed-3" / "model.safetensors").exists()
    document = pumice(*train, "--resume", "--json").document
    assert [run["provenance"]["seed"] for run in document["runs"]] == [0, 3]
    curves = [run["test"]["accuracy"] for run in document["runs"]]
    assert document["means"]["float"] == [sum(pair) / 2 for pair in zip(*curves, strict=True)]


def test_seeds_need_a_recipe() -> None:
    result = pumice("train", "--seeds", "0,1", "--resume")
    assert result.status == 2 and "RECIPE is missing" in result.err
