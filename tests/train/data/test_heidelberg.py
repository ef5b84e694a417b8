"""SHD and SSC from HDF5 files, written here: bins by hand, parts, and damaged files by name."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.data import load

SAMPLES = [([0.0, 0.2, 0.6999, 0.7, 1.5], [0, 0, 699, 4, 1], 3), ([], [], 19)]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def write(path: Path, unit: int = 0) -> None:
    with h5py.File(path, "w") as file:
        shape = (len(SAMPLES),)
        times = file.create_dataset("spikes/times", shape, h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", shape, h5py.vlen_dtype(np.uint16))
        for k, (t, u, _) in enumerate(SAMPLES):
            times[k], units[k] = np.array(t, np.float16), np.array(u, np.uint16) + unit
        file["labels"] = np.array([label for _, _, label in SAMPLES], np.uint16)


def test_spikes_are_counted_in_their_bins(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        write(tmp_path / f"ssc_{part}.h5")
    data = load("ssc", tmp_path, timesteps=2, values="counts", pool=5)
    assert data.input_shape == (1, 1, 140) and data.classes == 35
    assert data.validation is not None and data.train.labels.tolist() == [3, 19]
    expected = np.zeros((2, 140), int)
    expected[0, [0, 139]] = 2, 1
    expected[1, 0] = 1  # of unit 4, at 0.7002 s in 16 bits; 1.5 s is behind the window
    events, _ = data.train[0]
    assert np.array_equal(events[:, 0, 0], expected)
    assert data.train[1][0].sum() == 0
    binary = load("ssc", tmp_path, timesteps=2).train[0][0]
    assert binary.max() == 1 and binary.shape == (2, 1, 1, 700)


def test_files_that_are_none_are_named(tmp_path: Path) -> None:
    write(tmp_path / "shd_train.h5")
    with pytest.raises(DataError, match="shd_test.h5: cannot be read as HDF5"):
        load("shd", tmp_path, timesteps=2)
    with h5py.File(tmp_path / "shd_test.h5", "w") as file:
        file["labels"] = [1]
    with pytest.raises(DataError, match="shd_test.h5: holds no spikes/times"):
        load("shd", tmp_path, timesteps=2)
    write(tmp_path / "shd_test.h5", unit=3)
    with pytest.raises(DataError, match="shd_test.h5: sample 0 has units outside 0..699"):
        load("shd", tmp_path, timesteps=2)
    with pytest.raises(DataError, match="pool = 3 does not divide 700 units"):
        load("shd", tmp_path, timesteps=2, pool=3)
