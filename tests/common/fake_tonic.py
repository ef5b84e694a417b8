"""A stand-in for tonic: datasets of small files in the folders that tonic's have."""

import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

EVENTS = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", bool)])


class FakeTonicDataset:
    """Replaces tonic's base class: files `LABEL-NUMBER.npy` in a folder of its name."""

    def __init__(self, save_to: str, train: bool | None = None):
        self.folder = Path(save_to) / type(self).__name__
        if train is not None:
            self.folder /= "train" if train else "test"
        if not self.folder.is_dir():
            self.download()
        self.data = [str(file) for file in sorted(self.folder.iterdir())]
        self.targets = [os.path.basename(file).split("-")[0] for file in self.data]

    def download(self) -> None:
        raise AssertionError("tonic would download")

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return np.load(self.data[index]), self.targets[index]


def install_fake_tonic(patch: pytest.MonkeyPatch) -> None:
    """Put the stand-in in the place of tonic."""
    sets = ModuleType("tonic.datasets")
    for name in ("CIFAR10DVS", "NCALTECH101", "DVSGesture"):
        setattr(sets, name, type(name, (FakeTonicDataset,), {}))
    tonic = ModuleType("tonic")
    tonic.datasets = sets  # type: ignore[attr-defined]
    patch.setitem(sys.modules, "tonic", tonic)
    patch.setitem(sys.modules, "tonic.datasets", sets)


def write_recordings(folder: Path, labels: tuple[str, ...], number: int) -> None:
    """Recordings of four events; the last comes first in the file. x encodes class and number."""
    folder.mkdir(parents=True)
    for at, label in enumerate(labels):
        for k in range(number):
            rows = [(10 * at + k, 100, 9, 1), *[(3, 100, t, 0) for t in (1, 2, 4)]]
            np.save(folder / f"{label}-{k:02}.npy", np.array(rows, EVENTS))
