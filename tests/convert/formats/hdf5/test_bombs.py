"""HDF5 files that declare more than they hold are refused before memory is taken."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pumice.convert.formats.hdf5.reader import read_hdf5
from pumice.runtime.errors import FileError

MEASURE = r"""
import pathlib, re, resource, sys
from pumice.convert.formats.hdf5.reader import read_hdf5
from pumice.runtime.errors import FileError
try:
    print(len(read_hdf5(sys.argv[1])))
except FileError as error:
    print(error)
status = pathlib.Path("/proc/self/status").read_text()  # getrusage counts the parent of an exec
own = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1])
workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(own // 1024, workers // 1024)
"""


def declare(file: Any, shape: tuple[int, ...], chunks: tuple[int, ...] | None = None) -> None:
    """A dataset without values, which reads as zeros."""
    file.create_dataset("layer/0/weight", shape=shape, dtype="f8", chunks=chunks)


def compress(file: Any, count: int) -> None:
    file.create_dataset("a", data=np.zeros(count), compression="gzip", chunks=(1 << 20,))


BOMBS: dict[str, Callable[[Any], object]] = {
    "declared": lambda file: declare(file, (100_000_000,)),
    "declared in three axes": lambda file: declare(file, (1 << 20, 1 << 10, 1 << 10)),
    "declared by many": lambda file: [
        file.create_dataset(str(k), shape=(1_000_000,), dtype="f8") for k in range(300)
    ],
    "a chunk": lambda file: declare(file, (4_000_000_000,), (400_000_000,)),
    "compressed": lambda file: compress(file, 100_000_000),
    "long text": lambda file: file.create_dataset("t", shape=(40,), dtype="S100000000"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_is_an_error_of_one_line_in_little_memory(bomb: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.net"
    with h5py.File(path, "w") as file:
        BOMBS[bomb](file)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, path], capture_output=True, text=True, check=True
    )
    message, memory = done.stdout.splitlines()
    assert message.startswith(f"{path}: ")
    assert all(int(megabytes) < 600 for megabytes in memory.split()), memory


def test_constant_arrays_of_a_large_layer_are_read(tmp_path: Path) -> None:
    path = tmp_path / "large.nir"
    with h5py.File(path, "w") as file:
        for name in ("tau", "v_leak", "v_reset", "r"):
            file.create_dataset(name, data=np.ones((64, 128, 128), np.float32), compression="gzip")
    arrays = read_hdf5(path)
    assert path.stat().st_size < 200_000 and sum(a.nbytes for a in arrays.values()) == 16 << 20


def test_a_damaged_file_after_a_bomb_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.net").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\xff" * 600)
    with pytest.raises(FileError, match="is not a complete HDF5 file"):
        read_hdf5(tmp_path / "x.net")
