"""Recipes of published set-ups train on generated data in the layout of their sets."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fake_tonic import install_fake_tonic, write_recordings

from pumice.train.engine.fit import train_recipe
from pumice.train.recipes.dataset import load_recipe_dataset
from pumice.train.recipes.loader import load_recipe

SMALL = ("training.epochs=1", "training.batch_size=2", "network.width=2", "data.cache=false",
         "training.schedule={}")  # fmt: skip


def write_cifar10(folder: Path) -> None:
    """The binary version: rows of a label byte and an image, channel by channel."""
    random = np.random.default_rng(0)
    names = [*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin"]
    folder.mkdir()
    for name in names:
        rows = random.integers(0, 256, (2, 1 + 3 * 32 * 32)).astype(np.uint8)
        rows[:, 0] = random.integers(0, 10, 2)
        (folder / name).write_bytes(rows.tobytes())


def write_ncaltech101(folder: Path) -> None:
    write_recordings(folder / "NCALTECH101", ("accordion", "airplanes"), 10)


def write_dvs_gesture(folder: Path) -> None:
    for part, number in (("train", 3), ("test", 1)):
        write_recordings(folder / "DVSGesture" / part, ("0", "10"), number)


SETS: dict[str, tuple[Callable[[Path], None], tuple[int, ...], int, int]] = {
    "etc-cifar10": (write_cifar10, (3, 32, 32), 4, 10),
    "etc-ncaltech101": (write_ncaltech101, (2, 48, 48), 10, 101),
    "w2s-dvs-gesture": (write_dvs_gesture, (2, 48, 48), 5, 11),
}


@pytest.mark.parametrize("name", SETS)
def test_a_recipe_trains_on_the_layout_of_its_set(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, shape, timesteps, classes = SETS[name]
    install_fake_tonic(monkeypatch)
    write(tmp_path / "set")
    recipe = load_recipe(name, SMALL)
    data = load_recipe_dataset(recipe, tmp_path / "set")
    assert (data.input_shape, data.timesteps, data.classes) == (shape, timesteps, classes)
    trained = train_recipe(recipe, data, tmp_path / "run")
    assert trained.network.input_shape == shape
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 2
