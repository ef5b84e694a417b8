import json
import shutil
import subprocess
import sys
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
    next_command = result.out.partition("next: pumice train digits-events ")[2]
    assert "--set 'network.hidden=[8]'" in next_command and "--set training.lr=" in next_command
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


def test_several_workers_share_a_study(tmp_path: Path) -> None:
    """Real data: the processes that are started do not see this test's replacement of it."""
    sweep = (
        "sweep",
        "digits-events",
        "--param=training.lr=1e-3:1e-1:log",
        *SETTINGS,
        "--set=network.channels=[2]",
        "--set=network.kernels=3",
        "--set=network.strides=2",
        "--set=data.timesteps=2",
        "--set=training.validation_per_class=4",
        "--trials=3",
        "--workers=2",
        "-o",
        tmp_path / "study",
    )
    run = subprocess.run(
        [sys.executable, "-m", "pumice", *map(str, sweep), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    trials = json.loads(run.stdout)["trials"]
    assert sorted(trial["number"] for trial in trials) == [0, 1, 2]
    assert len({trial["settings"][0] for trial in trials}) == 3
    assert run.stderr.count("trial ") == 3


def test_seeds_are_resumed_from_the_folder_alone(tmp_path: Path) -> None:
    train = ("train", "digits-events", *SETTINGS, "--seeds=0,3", "-o", tmp_path)
    before = pumice(*train, "--json").document
    weights = {seed: tmp_path / f"seed-{seed}" / "model.safetensors" for seed in (0, 3, 5)}
    first = weights[3].read_bytes()
    shutil.rmtree(tmp_path / "seed-3")  # as if killed before it began
    resumed = pumice("train", "--resume", "-o", tmp_path, "--json").document
    assert weights[3].read_bytes() == first and resumed["means"] == before["means"]
    more = pumice("train", "--resume", "--seeds=5", "-o", tmp_path)
    assert more.status == 0 and weights[5].exists()
    assert json.loads((tmp_path / "seeds.json").read_text())["seeds"] == [0, 3, 5]
    changed = pumice("train", "--resume", "-o", tmp_path, "--set", "training.lr=1")
    assert changed.status == 2 and "a resumed run keeps its settings" in changed.err


def test_seeds_need_a_recipe() -> None:
    result = pumice("train", "--seeds", "0,1", "--resume")
    assert result.status == 2 and "RECIPE is missing" in result.err
