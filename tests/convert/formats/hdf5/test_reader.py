"""HDF5 files as arrays, and damaged ones."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from pumice.convert.formats.hdf5.reader import SandboxedReader, read_hdf5
from pumice.runtime.errors import FileError
from pumice.runtime.input_file import LFS_POINTER


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["group/deeper/numbers"] = np.arange(6, dtype=np.float32).reshape(2, 3)
        file["group/text"] = "conv"
        file.create_dataset("group/words", data=[["a", "bcd"]], dtype=h5py.string_dtype())
    return tmp_path / "a.h5"


def test_datasets_have_their_full_names(path: Path) -> None:
    datasets = read_hdf5(path)
    np.testing.assert_array_equal(datasets["group/deeper/numbers"], [[0, 1, 2], [3, 4, 5]])
    assert datasets["group/text"].item() == b"conv"
    assert datasets["group/words"].tolist() == [[b"a", b"bcd"]]


def test_bad_file_is_an_error_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("no")
    with pytest.raises(FileError, match=r"a.h5: is not a complete HDF5 file \(.*\)$"):
        read_hdf5(tmp_path / "a.h5")
    with pytest.raises(FileError, match="no such file"):
        read_hdf5(tmp_path / "b.h5")


def test_git_lfs_pointer_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.net").write_bytes(LFS_POINTER + b"v1\noid sha256:0\nsize 12345\n")
    with pytest.raises(FileError, match=r"a.net: is a Git LFS pointer, .*: git lfs pull$"):
        read_hdf5(tmp_path / "a.net")


def test_links_and_oversized_datasets_are_errors(path: Path) -> None:
    with h5py.File(path, "a") as file:
        file["soft"] = h5py.SoftLink("/group")
    with pytest.raises(FileError, match="soft is a link"):
        read_hdf5(path)
    with h5py.File(path, "a") as file:
        del file["soft"]
        file.create_dataset("large", (1 << 40,), np.uint8, chunks=(1 << 20,))
    with pytest.raises(FileError, match="large claims 1099511627776 bytes"):
        read_hdf5(path)


def test_reader_restarts_its_process(path: Path) -> None:
    with SandboxedReader(timeout=0.0) as reader:
        with pytest.raises(FileError, match="did not survive"):
            reader.read(path)
        reader._timeout = 60.0
        assert len(reader.read(path)) == 3
