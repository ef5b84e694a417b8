"""Two processes that train together on the CPU, as several devices and nodes do."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pumice.runtime.errors import RecipeError
from pumice.train import load_recipe, read_trained_model, train_recipe
from pumice.train.data import load
from pumice.train.data.events import Events
from pumice.train.data.recordings import Recordings, write_recordings
from pumice.train.engine import processes
from pumice.train.engine.processes import Launch, find_launch, launched_devices
from pumice.train.engine.run_folder import MODEL_FILE, RESUME_FILE
from pumice.train.engine.trainer import EpochSampler
from pumice.train.engine.training_config import DeviceOptions

# All epochs are quantized: batch norm, which each process would see half of, is frozen.
RECIPE = """
[data]
name = "nmnist"
timesteps = 2
[network]
channels = [4]
kernels = [3]
strides = [4]
hidden = []
[training]
epochs = 2
qat_epochs = 2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Fourteen recordings per class, ten of them for testing."""
    random = np.random.default_rng(0)
    labels = np.arange(140) % 10
    recordings = []
    for label in labels:
        x, y = random.integers(0, 34, 60), 3 * label + random.integers(0, 4, 60)
        t = np.sort(random.integers(0, 1000, 60))
        recordings.append(Events(x, y, random.integers(0, 2, 60), t, 34, 34))
    (tmp_path / "data").mkdir()
    write_recordings(tmp_path / "data" / "few.npz", Recordings(tuple(recordings), labels))
    (tmp_path / "few.toml").write_text(RECIPE)
    return tmp_path


def test_two_processes_with_half_a_batch_equal_one_with_the_batch(folder: Path) -> None:
    data, recipe_file = folder / "data", folder / "few.toml"
    one = train_recipe(
        load_recipe(str(recipe_file), ["training.batch_size=8"]),
        load("nmnist", folder=data, timesteps=2),
        folder,
    )
    command = [sys.executable, "-m", "pumice", "train", recipe_file, "--folder", data]
    command += ["-o", folder / "two"]
    command += ["--set", "devices.devices=2", "--set", "training.batch_size=4"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert len((folder / "two" / "history.csv").read_text().splitlines()) == 3
    two = read_trained_model(folder / "two").network.state_dict()
    for name, value in one.network.state_dict().items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4, msg=name)


def torchrun(*arguments: object, timeout: float = 280) -> "subprocess.CompletedProcess[str]":
    """Run pumice in two processes of torchrun."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command += ["--no-python", sys.executable, "-m", "pumice", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


FLOAT_RECIPE = (
    RECIPE.replace("qat_epochs = 2", "qat_epochs = 0")
    + """
schedule = "constant"
[loss]
tet = {}
tcl = {}
weak_to_strong = {}
"""
)


def test_torchrun_gives_the_loss_of_one_process_with_live_batch_norm(folder: Path) -> None:
    """The losses compare samples, and batch norm has the statistics of both processes."""
    (folder / "float.toml").write_text(FLOAT_RECIPE)
    settings = ["training.batch_size=8", "training.epochs=1"]
    one = train_recipe(
        load_recipe(str(folder / "float.toml"), settings),
        load("nmnist", folder=folder / "data", timesteps=2),
        folder / "one",
    )
    done = torchrun(
        "train", folder / "float.toml", "-o", folder / "two", "--folder", folder / "data",
        "--set", "training.batch_size=4", "--set", "training.epochs=1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    history = (folder / "two" / "history.csv").read_text().splitlines()
    found = dict(zip(history[0].split(","), history[1].split(","), strict=True))
    for name, value in one.history[0].items():
        assert float(found[name]) == pytest.approx(value, rel=1e-4), name
    two = read_trained_model(folder / "two").network.state_dict()
    for name, tensor in one.network.state_dict().items():
        torch.testing.assert_close(two[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    alone, shared = (
        subprocess.run(
            [sys.executable, "-m", "pumice", "evaluate", folder / "two", "--json"],
            capture_output=True, text=True, timeout=280,
        ),
        torchrun("evaluate", folder / "two", "--json"),
    )  # fmt: skip
    assert shared.returncode == 0, shared.stderr
    assert json.loads(shared.stdout) == json.loads(alone.stdout)  # printed once


@pytest.mark.slow
def test_two_processes_killed_and_resumed_give_the_same_weights(folder: Path) -> None:
    """With accumulation, averaging and mixed precision."""
    (folder / "mixed.toml").write_text(
        RECIPE.replace("epochs = 2\nqat_epochs = 2", "epochs = 6\nqat_epochs = 2")
        + 'batch_size = 2\naccumulate_grad_batches = 2\naveraging = "ema"\n'
        '[devices]\ndevices = 2\nprecision = "bf16-mixed"\n'
    )
    pumice = [sys.executable, "-m", "pumice", "train"]
    recipe: list[str | Path] = [folder / "mixed.toml", "--folder", folder / "data", "-o"]
    whole, killed = folder / "whole", folder / "killed"
    subprocess.run([*pumice, *recipe, whole], check=True, capture_output=True, timeout=280)
    process = subprocess.Popen([*pumice, *recipe, killed], start_new_session=True)
    while not (killed / RESUME_FILE).exists() and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (killed / RESUME_FILE).exists() and not (killed / MODEL_FILE).exists()
    subprocess.run(
        [*pumice, "--resume", "-o", killed], check=True, capture_output=True, timeout=280
    )
    for name in (MODEL_FILE, "history.csv"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()


def test_the_processes_of_a_launcher_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    torchrun_variables = {"TORCHELASTIC_RUN_ID": "x", "WORLD_SIZE": "8", "LOCAL_WORLD_SIZE": "4"}
    slurm = {"SLURM_PROCID": "0", "SLURM_NTASKS": "8", "SLURM_NNODES": "2"}
    for variables in (torchrun_variables, slurm):
        assert find_launch(variables) == Launch(8, 4)
    assert find_launch({}) is None and find_launch({"SLURM_NTASKS": "1"}) is None
    for name, value in torchrun_variables.items():
        monkeypatch.setenv(name, value)
    devices = launched_devices(DeviceOptions())
    assert (devices.devices, devices.nodes) == (4, 2)
    assert launched_devices(devices) == devices
    with pytest.raises(RecipeError, match="2 devices on 1 nodes, but 8 processes were started"):
        launched_devices(DeviceOptions(devices=2))


def test_work_is_shared_in_the_order_of_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of three processes in turn; the results of the others are those of the same call."""
    results = []
    for rank in range(3):
        monkeypatch.setattr(processes, "rank_and_world_size", lambda rank=rank: (rank, 3))

        def gather(parts: list[Any], own: Any) -> None:
            parts[:] = [own] * 3

        monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
        shared = processes.share(lambda indices: indices, 11)[0]
        assert shared is not None
        results.append(shared)
    assert np.concatenate(results).tolist() == list(range(11))
    assert processes.share(lambda indices: indices, 2) == [None]


def test_processes_partition_the_samples_of_every_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    order = list(EpochSampler(11, 3))
    parts = []
    for rank in (0, 1):
        monkeypatch.setattr(
            "pumice.train.engine.trainer.rank_and_world_size", lambda rank=rank: (rank, 2)
        )
        parts.append(list(EpochSampler(11, 3)))
        assert len(parts[rank]) == len(EpochSampler(11, 3)) == 5
    assert [sample for pair in zip(*parts, strict=True) for sample in pair] == order[:10]
