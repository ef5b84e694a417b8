import sys
from pathlib import Path

import numpy as np
import pytest
from fake_tonic import FakeTonicDataset, install_fake_tonic, write_recordings

from pumice.runtime.errors import DataError, MissingPackage
from pumice.train.data import load
from pumice.train.data.tonic_datasets import first_90_percent


@pytest.fixture
def fake_tonic(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install_fake_tonic(monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("fake_tonic")
def test_a_dataset_without_parts_is_split_by_class(tmp_path: Path) -> None:
    write_recordings(tmp_path / "CIFAR10DVS", ("1", "10", "2"), 10)
    data = load("dvs-cifar10", folder=tmp_path, timesteps=3, size=64)
    assert data.train.events.shape == (3, 27, 2, 64, 64) and len(data.test) == 3
    assert data.test.labels.tolist() == [0, 2, 1]
    # The ON event of the last recording of class "1": x 9 and y 100 on half as many pixels.
    assert np.argwhere(data.test.events[:, 0, 1]).tolist() == [[2, 50, 4]]


@pytest.mark.usefixtures("fake_tonic")
def test_published_parts_are_used_and_frames_are_cached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part, number in (("train", 2), ("test", 1)):
        write_recordings(tmp_path / "DVSGesture" / part, ("0", "1"), number)
    first = load("dvs-gesture", folder=tmp_path, timesteps=2)
    assert (len(first.train), len(first.test), first.classes) == (4, 2, 11)
    monkeypatch.setattr(FakeTonicDataset, "__getitem__", None)
    assert load("dvs-gesture", folder=tmp_path, timesteps=2).digest == first.digest
    with pytest.raises(TypeError):
        load("dvs-gesture", folder=tmp_path, timesteps=3)


@pytest.mark.usefixtures("fake_tonic")
@pytest.mark.parametrize(
    ("name", "folder_name"), [("dvs-cifar10", "CIFAR10DVS"), ("ncaltech101", "NCA")]
)
def test_a_wrong_folder_is_rejected_without_a_download(
    tmp_path: Path, name: str, folder_name: str
) -> None:
    with pytest.raises(
        DataError, match=f"{folder_name}.* is missing or incomplete; download it yourself"
    ):
        load(name, folder=tmp_path)
    with pytest.raises(DataError, match="no folder given"):
        load(name)


def test_without_tonic_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tonic", None)
    with pytest.raises(MissingPackage, match=r"pip install 'pumice\[events\]'"):
        load("ncaltech101", folder=tmp_path)


def test_the_first_90_percent_of_each_class() -> None:
    labels = np.array([0] * 10 + [1] * 5 + [0] * 10)
    test_indices = np.flatnonzero(~first_90_percent(labels))
    assert test_indices.tolist() == [14, 23, 24]
