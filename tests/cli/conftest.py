"""Fixtures of the command-line tests: a small network, events for it, and small datasets."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import EVENTS, LABELS, NETWORK

from pumice.runtime import write_network
from pumice.train import data as sets
from pumice.train.data import Dataset, FrameSet


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A network file."""
    path = tmp_path / "net.pumice"
    write_network(path, NETWORK)
    return path


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """A file of seven samples of five timesteps, with labels."""
    path = tmp_path / "events.npz"
    np.savez(path, events=EVENTS, labels=LABELS)
    return path


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace all datasets by twenty clips of a vertical or horizontal bar."""
    rng = np.random.default_rng(8)
    labels = np.arange(20) % 2
    frames = (rng.random((20, 4, 2, 6, 6)) < 0.1).astype(np.uint8)
    frames[labels == 0, :, :, 2] = 1
    frames[labels == 1, :, :, :, 2] = 1

    def load(name: str, folder: Path | None = None, **_: Any) -> Dataset:
        samples = FrameSet(frames.swapaxes(0, 1), labels)
        return Dataset(name, samples, samples, 2, "00", {})

    monkeypatch.setattr(sets, "load", load)
