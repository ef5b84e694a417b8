"""Two processes that train together on the CPU, as several devices and nodes do."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from pumice.train import load_recipe, read_trained_model, train_recipe
from pumice.train.data import load
from pumice.train.data.events import Events
from pumice.train.data.recordings import Recordings, write_recordings
from pumice.train.engine.trainer import EpochSampler

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
    pumice = Path(sys.executable).with_name("pumice")
    command = [pumice, "train", recipe_file, "-o", folder / "two", "--folder", data]
    command += ["--set", "devices.devices=2", "--set", "training.batch_size=4"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert len((folder / "two" / "history.csv").read_text().splitlines()) == 3
    two = read_trained_model(folder / "two").network.state_dict()
    for name, value in one.network.state_dict().items():
        torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4, msg=name)


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
