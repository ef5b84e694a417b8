from pathlib import Path

import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.data.aer_files import write_events
from pumice.train.data.events import Events
from pumice.train.data.nmnist import load_nmnist
from pumice.train.data.options import DataOptions
from pumice.train.data.recordings import Recordings, write_recordings


def options(folder: Path | None) -> DataOptions:
    return DataOptions(name="nmnist", folder=folder, timesteps=2)


def blink(x: int, width: int = 34) -> Events:
    """A pixel that blinks once, in the first frame and in the last."""
    return Events([x, x], [3, 4], [1, 0], [0, 9], width, 34)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for part, start in (("Train", 0), ("Test", 20)):
        for label in range(10):
            (tmp_path / part / str(label)).mkdir(parents=True)
            name = f"{label + 1:05}.bin"
            write_events(tmp_path / part / str(label) / name, blink(start + label))
    return tmp_path


def test_the_original_folders_are_train_and_test(folder: Path) -> None:
    data = load_nmnist(options(folder))
    assert data.train.labels.tolist() == data.test.labels.tolist() == list(range(10))
    assert data.train.events.shape == (2, 10, 2, 34, 34)
    for label in range(10):
        train, test = data.train.events[:, label], data.test.events[:, label]
        assert np.argwhere(train).tolist() == [[0, 1, 3, label], [1, 0, 4, label]]
        assert np.argwhere(test).tolist() == [[0, 1, 3, 20 + label], [1, 0, 4, 20 + label]]
    assert data.provenance["split"] == "Train and Test as published"


def test_overflow_events_are_decoded(folder: Path) -> None:
    file = folder / "Train" / "0" / "00001.bin"
    file.write_bytes(file.read_bytes() + bytes([0, 240, 0, 0, 0]))
    assert load_nmnist(options(folder)).train.events[:, 0].sum() == 2


def test_a_damaged_recording_is_named(folder: Path) -> None:
    (folder / "Test" / "7" / "00008.bin").write_bytes(bytes(7))
    with pytest.raises(DataError, match="Test/7/00008.bin: has 7 bytes"):
        load_nmnist(options(folder))


def test_a_part_without_recordings_is_rejected(folder: Path) -> None:
    for file in (folder / "Test").rglob("*.bin"):
        file.unlink()
    with pytest.raises(DataError, match="nmnist: .*Test: no .bin files in folders 0 to 9"):
        load_nmnist(options(folder))


def test_a_missing_folder_option_is_rejected() -> None:
    with pytest.raises(DataError, match="nmnist: no folder given; needs Train/ and Test/"):
        load_nmnist(options(None))


def test_a_folder_without_the_files_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: no such folder; needs Train/ and Test/"):
        load_nmnist(options(tmp_path / "absent"))
    with pytest.raises(DataError, match="0 .npz files; needs Train/ and Test/ .* or one .npz"):
        load_nmnist(options(tmp_path))
    for name in ("a.npz", "b.npz"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match="2 .npz files; needs"):
        load_nmnist(options(tmp_path))


def write_npz(path: Path, classes: int, per_class: int) -> None:
    labels = np.tile(np.arange(classes), per_class)
    write_recordings(path, Recordings(tuple(blink(k % 34) for k in range(len(labels))), labels))


def test_ten_of_each_class_of_an_npz_are_held_out(tmp_path: Path) -> None:
    write_npz(tmp_path / "some.npz", 10, 12)
    data = load_nmnist(options(tmp_path))
    assert np.bincount(data.test.labels).tolist() == [10] * 10 and len(data.train) == 20
    assert load_nmnist(options(tmp_path)) == data


def test_labels_that_are_no_digits_are_rejected(tmp_path: Path) -> None:
    write_npz(tmp_path / "some.npz", 11, 12)
    with pytest.raises(DataError, match="some.npz: a label is 10, needs 0 to 9"):
        load_nmnist(options(tmp_path))


def test_the_recorded_nmnist_is_split_into_800_and_100(shared_data: Path) -> None:
    folder = shared_data / "nmnist900"
    if not folder.is_dir():
        pytest.skip(f"no N-MNIST recordings at {folder}")
    data = load_nmnist(options(folder))
    assert data.train.events.shape == (2, 800, 2, 34, 34)
    assert np.bincount(data.test.labels).tolist() == [10] * 10
