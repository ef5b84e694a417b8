"""Worker process that reads HDF5 files for `reader`, so that a damaged file affects only it.

A script, not a module to import: it needs numpy and h5py alone, so that it starts quickly. It
receives one path as JSON per line, and responds to each with eight bytes of length, then an `.npz`
archive: the datasets by their full names, or the reason why there are none as `!error`.
"""

import io
import json
import os
import sys
from typing import Any, BinaryIO

import h5py
import numpy as np

MAX_DEPTH = 16
MAX_DATASETS = 100_000
MAX_BYTES = 1 << 34
SPARE_BYTES = 1 << 27  # for constant arrays, which deflate compresses a thousandfold
MAX_COMPRESSION_RATIO = 20
OVERHEAD_BYTES = 3 << 29  # address space of the interpreter and its libraries


def main(requests: BinaryIO, responses: BinaryIO) -> None:
    """Respond to all requests until they end."""
    for line in iter(requests.readline, b""):
        archive = io.BytesIO()
        np.savez(archive, **_read_file(json.loads(line)))
        content = archive.getbuffer()
        responses.write(len(content).to_bytes(8, "little"))
        responses.write(content)
        responses.flush()


def _limit_memory(budget: int) -> None:
    """Bound what a file can make the HDF5 library allocate, where the system has such a limit."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    wanted = OVERHEAD_BYTES + 4 * budget
    limit = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def _read_file(path: str) -> dict[str, Any]:
    try:
        budget = min(MAX_BYTES, SPARE_BYTES + MAX_COMPRESSION_RATIO * os.path.getsize(path))
        _limit_memory(budget)
        with h5py.File(path, "r") as file:
            datasets: dict[str, Any] = {}
            _collect_datasets(file, "", 0, budget, datasets)
            return datasets
    except Exception as error:  # h5py raises nearly every type on a damaged file
        return {"!error": np.array(" ".join(str(error).split()) or type(error).__name__)}


def _collect_datasets(
    group: Any, prefix: str, depth: int, budget: int, datasets: dict[str, Any]
) -> None:
    if depth > MAX_DEPTH:
        raise ValueError(f"its groups are nested more than {MAX_DEPTH} deep")
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"{prefix}{name} is a link, which may lead anywhere")
        item = group[name]
        if isinstance(item, h5py.Group):
            _collect_datasets(item, f"{prefix}{name}/", depth + 1, budget, datasets)
        elif isinstance(item, h5py.Dataset):
            if item.shape is None:
                raise ValueError(f"{prefix}{name} is empty")
            if len(datasets) == MAX_DATASETS:
                raise ValueError(f"it holds more than {MAX_DATASETS} datasets")
            budget -= item.nbytes
            if budget < 0:
                raise ValueError(
                    f"{prefix}{name} claims {item.nbytes} bytes, more than it can hold"
                )
            datasets[prefix + name] = _to_plain_array(item)


def _to_plain_array(dataset: Any) -> Any:
    """Numbers as they are; strings, which h5py reads as objects, as bytes of one length."""
    values = dataset.asstr()[()] if h5py.check_string_dtype(dataset.dtype) else dataset[()]
    array = np.asarray(values)
    if array.dtype.kind in "OU":
        array = np.char.encode(array.astype(np.str_), "utf-8")
    if array.dtype.kind not in "biufS":
        raise ValueError(f"{dataset.name} holds {array.dtype}, needs numbers or text")
    return array


if __name__ == "__main__":
    main(sys.stdin.buffer, sys.stdout.buffer)
