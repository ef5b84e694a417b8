"""Sharded storage of a dataset, for training on many nodes: few large files, read by index.

Samples are stored decoded, one record each, in ArrayRecord files, which compress them (Zstandard),
carry a checksum of each record and read any record by its number. Every process reads the samples
that its sampler draws, so that batches, and resumed runs, are those of the files that the shards
were made from, for any number of workers and nodes.

A folder holds `index.json` (what the samples are, and the options that made them), the labels of
each part, and shards of about `SHARD_BYTES` of samples. The index is written last: a folder without
one is no dataset, and writing goes on behind the shards that are there.
"""

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from ...runtime.extras import import_extra
from ...runtime.files import atomic_write, check_output_folder
from .dataset import Dataset, FrameSet, as_labels
from .options import DataOptions
from .progress import track
from .reading import default_workers, read_ahead
from .sources import EventArray, Indices, SampleShape, SampleSource, from_sample_major

FORMAT = 1
SHARD_BYTES = 1 << 30  # of samples before compression
READ_BYTES = 1 << 23  # of samples that are decoded together
OPEN_FILES = 512  # shards that a process keeps open
INDEX_FILE, PLAN_FILE = "index.json", "plan.json"
PARTS = ("train", "test", "validation")
READER = "readahead_buffer_size:0,max_parallelism:0"  # for random access
WRITER = "group_size:1,zstd:1"  # a record is compressed alone
# Options that say where files are or how they are read, not what the samples are; spike codes are
# applied to what is stored.
FREE_FIELDS = {
    "folder", "cache", "unreadable", "shards", "encoding", "delta_threshold", "labels"
}  # fmt: skip


@dataclass(eq=False)
class ShardSource:
    """Samples in ArrayRecord files; each process opens those that it reads.

    Args:
        files: The shards, in order.
        ends: Number of samples up to the end of each shard, int64.
        shape: Shape of a sample, (timesteps, channels, height, width).
        static: Whether samples do not change over time; one frame is stored then.
        max_value: Upper bound of the values.
    """

    files: tuple[Path, ...]
    ends: NDArray[np.int64]
    shape: SampleShape
    static: bool
    max_value: int
    readers: "OrderedDict[int, Any]" = field(default_factory=OrderedDict, repr=False)
    owner: int = 0  # process of the readers, which do not survive a fork

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "readers": OrderedDict(), "owner": 0}

    @property
    def decodes(self) -> bool:
        """True: samples are decompressed."""
        return True

    def read(self, indices: Indices) -> EventArray:
        """Samples at `indices`; raises `DataError` where a shard is missing or damaged."""
        shape = self.shape[1:] if self.static else self.shape
        frames = np.empty((len(indices), *shape), np.uint8)
        numbers = np.searchsorted(self.ends, indices, "right")
        for number in np.unique(numbers).tolist():
            rows = np.flatnonzero(numbers == number)
            first = self.ends[number - 1] if number else 0
            records = self._read_records(number, (indices[rows] - first).tolist())
            for row, record in zip(rows.tolist(), records, strict=True):
                if len(record) != frames[row].nbytes:
                    raise DataError(
                        f"{self.files[number]}: a sample has {len(record)} bytes, needs "
                        f"{frames[row].nbytes}; write the shards again"
                    )
                frames[row] = np.frombuffer(record, np.uint8).reshape(shape)
        return from_sample_major(frames, self.shape[0], self.static)

    def _read_records(self, number: int, records: list[int]) -> list[bytes]:
        try:
            found: list[bytes] = self._open(number).read(records)
        except (RuntimeError, IndexError, ValueError) as error:
            message = str(error).splitlines()[0]
            raise DataError(
                f"{self.files[number]}: cannot be read ({message}); write the shards again"
            ) from error
        return found

    def _open(self, number: int) -> Any:
        """Reader of a shard, of this process; the one that was used longest ago is closed."""
        if self.owner != os.getpid():
            self.readers, self.owner = OrderedDict(), os.getpid()
        if number in self.readers:
            self.readers.move_to_end(number)
            return self.readers[number]
        if not self.files[number].is_file():
            raise DataError(f"{self.files[number]}: no such file; copy all shards of the folder")
        if len(self.readers) >= OPEN_FILES:
            self.readers.popitem(last=False)[1].close()
        self.readers[number] = _import_records().ArrayRecordReader(
            str(self.files[number]), options=READER
        )
        return self.readers[number]


def write_shards(
    data: Dataset,
    folder: str | os.PathLike[str],
    options: DataOptions,
    *,
    shard_bytes: int = SHARD_BYTES,
    progress: bool | None = None,
) -> Path:
    """Write a dataset as shards; returns the path of their index.

    Worker processes decode. A write that was interrupted goes on behind the shards that are there.

    Args:
        data: The dataset, before a spike code (`encoding`) is applied.
        folder: Folder of the shards, which is created.
        options: Options that the dataset was loaded with.
        shard_bytes: Bytes of the samples of a shard, before compression.
        progress: Show a progress bar; None shows one in a terminal or notebook.

    Raises:
        DataError: The folder holds shards of other samples, or a sample cannot be read.
        FileError: The folder cannot be written.
        MissingPackage: array-record is not installed.
    """
    _import_records()
    folder = Path(folder)
    check_output_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    parts = {name: part for name in PARTS if (part := getattr(data, name)) is not None}
    index: dict[str, Any] = {
        "format": FORMAT,
        "name": data.name,
        "classes": data.classes,
        "augmented": data.augmented,
        "digest": data.digest,
        "options": _comparable(options),
        "dataset": options.model_dump(mode="json", exclude={"shards", "encoding"}),
        "provenance": dict(data.provenance),
        "parts": {name: _plan_part(name, part, shard_bytes) for name, part in parts.items()},
    }
    _check_plan(folder, index)
    for name, part in parts.items():
        _write_part(folder, name, part, index["parts"][name], progress)
    _write_json(folder / INDEX_FILE, index)
    (folder / PLAN_FILE).unlink(missing_ok=True)
    return folder / INDEX_FILE


def open_shards(options: DataOptions) -> Dataset:
    """Open the shards in `options.shards`, which must be of samples with the same options.

    Raises `DataError` where they are of others, incomplete or damaged.
    """
    assert options.shards is not None
    index = read_index(options.shards)
    ours, theirs = _comparable(options), index["options"]
    for key in sorted({*ours, *theirs}):
        if ours.get(key) != theirs.get(key):
            raise DataError(
                f"{options.shards}: shards of data with {key} = {theirs.get(key)!r}, but the "
                f"recipe has {ours.get(key)!r}; write them again"
            )
    return _open_parts(options.shards, index)


def from_shards(folder: str | os.PathLike[str]) -> Dataset:
    """Dataset of a folder of shards, with the options that they were written with.

    Raises `DataError` where the folder holds no shards, or they are damaged.
    """
    from .encoders import encode_dataset

    index = read_index(Path(folder))
    options = DataOptions.model_validate(index["dataset"])
    return encode_dataset(_open_parts(Path(folder), index), options)


def _plan_part(name: str, part: FrameSet, shard_bytes: int) -> dict[str, Any]:
    """Shards of a part, by the number of their samples, and what the samples are."""
    source = part.source
    static = source.read(np.arange(1)).strides[0] == 0 and source.shape[0] > 1
    shape = source.shape[1:] if static else source.shape
    size = max(1, shard_bytes // int(np.prod(shape)))
    counts = [min(size, len(part) - first) for first in range(0, len(part), size)]
    return {
        "samples": len(part),
        "shape": list(source.shape),
        "static": bool(static),
        "max_value": part.max_value,
        "labels": hashlib.sha256(np.ascontiguousarray(part.labels).data).hexdigest(),
        "shards": {
            f"{name}-{k:05}-of-{len(counts):05}.array_record": count
            for k, count in enumerate(counts)
        },
    }


def _check_plan(folder: Path, index: Mapping[str, Any]) -> None:
    """Note what is being written; raises `DataError` where the folder is of something else."""
    for name in (INDEX_FILE, PLAN_FILE):
        if (folder / name).exists() and _read_json(folder / name) != json.loads(json.dumps(index)):
            raise DataError(f"{folder}: holds shards of other samples; name another folder")
    _write_json(folder / PLAN_FILE, index)


def _write_part(
    folder: Path, name: str, part: FrameSet, plan: Mapping[str, Any], progress: bool | None
) -> None:
    with atomic_write(folder / f"{name}-labels.npy") as temporary, temporary.open("wb") as file:
        np.save(file, part.labels)
    first, missing = 0, []
    for shard, count in plan["shards"].items():
        if not (folder / shard).exists():
            missing.append((folder / shard, range(first, first + count)))
        first += count
    batches = sum(len(_batches(part.source, samples)) for _, samples in missing)
    records = _iter_records(part.source, [samples for _, samples in missing], bool(plan["static"]))
    shown = track(records, batches, f"writing {name}", progress)
    module = _import_records()
    for path, samples in missing:
        with atomic_write(path) as temporary:
            writer = module.ArrayRecordWriter(str(temporary), WRITER)
            written = 0
            while written < len(samples):
                frames = next(shown)
                for frame in frames:
                    writer.write(frame.tobytes())
                written += len(frames)
            writer.close()


def _iter_records(
    source: SampleSource, shards: list[range], static: bool
) -> Iterator[NDArray[np.uint8]]:
    """Samples of the shards in order, some at a time, uint8 (samples, ...)."""
    batches = [indices for samples in shards for indices in _batches(source, samples)]
    for events in read_ahead(source, batches, default_workers(source)):
        yield events[0] if static else events.swapaxes(0, 1)


def _batches(source: SampleSource, samples: range) -> list[Indices]:
    step = max(1, READ_BYTES // int(np.prod(source.shape)))
    indices = np.arange(samples.start, samples.stop)
    return [indices[k : k + step] for k in range(0, len(indices), step)]


def _open_parts(folder: Path, index: Mapping[str, Any]) -> Dataset:
    parts: dict[str, FrameSet] = {}
    for name, plan in index["parts"].items():
        files = tuple(folder / shard for shard in plan["shards"])
        missing = [file for file in files if not file.is_file()]
        if missing:
            raise DataError(f"{missing[0]}: no such file; copy all shards of the folder")
        ends = np.cumsum([*plan["shards"].values()]).astype(np.int64)
        timesteps, channels, height, width = plan["shape"]
        source = ShardSource(
            files, ends, (timesteps, channels, height, width), plan["static"], plan["max_value"]
        )
        parts[name] = FrameSet(source, _read_labels(folder, name, plan))
    return Dataset(
        index["name"], parts["train"], parts["test"], index["classes"], index["digest"],
        index["provenance"], parts.get("validation"), index["augmented"],
    )  # fmt: skip


def _read_labels(folder: Path, name: str, plan: Mapping[str, Any]) -> NDArray[Any]:
    path = folder / f"{name}-labels.npy"
    try:
        labels = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({error}); write the shards again") from error
    if hashlib.sha256(np.ascontiguousarray(labels).data).hexdigest() != plan["labels"]:
        raise DataError(f"{path}: was altered (its SHA-256 does not match); write the shards again")
    return as_labels(labels, str(path))


def read_index(folder: Path) -> dict[str, Any]:
    """Read the index of a folder of shards; raises `DataError` where it is absent or damaged."""
    path = folder / INDEX_FILE
    if not path.is_file():
        state = "is being written" if (folder / PLAN_FILE).exists() else "holds no shards"
        raise DataError(f"{folder}: {state}; write them with: pumice shard RECIPE -o {folder}")
    index = _read_json(path)
    if index.get("format") != FORMAT:
        raise DataError(f"{path}: has format {index.get('format')!r}, needs {FORMAT}")
    return index


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise DataError(f"{path}: is no index of shards")
    return content


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(content), encoding="utf-8")


def _comparable(options: DataOptions) -> dict[str, Any]:
    """Options that determine what is stored, as plain values; those not set are left out."""
    return options.model_dump(mode="json", exclude=FREE_FIELDS, exclude_none=True)


def _import_records() -> Any:
    return import_extra("array_record.python.array_record_module", "shards", "shards")
