"""Frames of files, decoded when asked for, with a cache on disk."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from ...runtime.input_file import open_input
from .cache import cached_values
from .dataset import FrameSet, Labels
from .events import Events
from .frame_cache import Cached, CacheOptions, cached_frames
from .frames import to_frames
from .geometry import downsample, rescale
from .options import DataOptions
from .reading import map_items
from .sources import DecodedSource

# Options that frames depend on; other splits or encoders of the same files share a cache.
FRAME_FIELDS = {"timesteps", "binning", "values", "pool", "size", "window", "value_bits", "sensor"}
MAX_HASHED_BYTES = 16 << 30  # of files whose contents a digest covers
NAMED_FILES = 20  # unreadable files that the provenance names


class FileList(Sequence[Path]):
    """Files below a folder, in one array: worker processes share it, however long it is."""

    def __init__(self, folder: Path, files: Sequence[str | os.PathLike[str]]) -> None:
        self.folder = folder
        self.names: NDArray[np.bytes_] = np.array(
            [os.path.relpath(file, folder).encode("utf-8", "surrogateescape") for file in files]
        )

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Any) -> Any:
        return self.folder / bytes(self.names[index]).decode("utf-8", "surrogateescape")

    def total_bytes(self) -> int:
        """Size of all files; raises `DataError` where one is missing."""
        return sum(status.st_size for _, status in self._iter_states())

    def signature(self, times: bool = True) -> str:
        """SHA-256 of the names, sizes and, with `times`, modification times of the files."""
        digest = hashlib.sha256()
        for name, status in self._iter_states():
            state = (status.st_size, status.st_mtime_ns) if times else (status.st_size,)
            digest.update(b"%s\0%s\0" % (name, repr(state).encode()))
        return digest.hexdigest()

    def _iter_states(self) -> Iterator[tuple[bytes, os.stat_result]]:
        for name in self.names.tolist():
            path = os.path.join(os.fsencode(self.folder), name)
            try:
                yield name, os.stat(path)
            except OSError as error:
                where = os.fsdecode(path)
                raise DataError(f"{where}: cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class Copies(Sequence[tuple[Path, int, int]]):
    """Items of augmented copies of files: all copies of the first file, then those of the next.

    An item is (file, its number, number of the copy).
    """

    files: FileList
    copies: int

    def __len__(self) -> int:
        return len(self.files) * self.copies

    def __getitem__(self, index: Any) -> Any:
        number, copy = divmod(index, self.copies)
        return self.files[number], number, copy


@dataclass(frozen=True)
class FileRanges(Sequence[tuple[Path, int, int]]):
    """Items of parts of files: (file, first frame, last frame), counted from 0.

    `files` has an entry for each part, `ranges` its frames, int64 (parts, 2).
    """

    files: FileList
    ranges: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: Any) -> Any:
        first, last = self.ranges[index].tolist()
        return self.files[index], first, last

    def signature(self) -> str:
        """SHA-256 of the frames and of the names, sizes and modification times of the files."""
        digest = hashlib.sha256(self.files.signature().encode())
        digest.update(self.ranges.tobytes())
        return digest.hexdigest()


def digest_files(files: FileList) -> tuple[str, str]:
    """SHA-256 of files, hexadecimal, and what it covers: "names and contents" or "names and sizes".

    Contents are read once, by worker processes, and their digest is kept in the cache by the names,
    sizes and times of the files. More than `MAX_HASHED_BYTES` are not read.
    """
    if files.total_bytes() > MAX_HASHED_BYTES:
        return files.signature(times=False), "names and sizes"

    def digest_contents() -> list[str]:
        digest = hashlib.sha256()
        for name, each in zip(files.names.tolist(), map_items(_digest_file, files), strict=True):
            digest.update(b"%s\0%s\0" % (name, each))
        return [digest.hexdigest()]

    key = {"folder": str(files.folder.resolve()), "files": files.signature()}
    (digest,) = cached_values("contents", key, digest_contents)
    return str(digest), "names and contents"


def _digest_file(file: Path) -> bytes:
    """SHA-256 of the contents; of a file that cannot be read, none."""
    try:
        with open_input(file) as opened:
            return hashlib.file_digest(opened, "sha256").digest()
    except (OSError, DataError):
        return b""


@dataclass(frozen=True)
class Reader:
    """Source of the frames of files, and the encoding of what is not events.

    `encoder` describes, as plain values, how values of the files become integers. `augmented` holds
    copies of the training files, as many of each, all of a file together.
    """

    source: DecodedSource
    encoder: Mapping[str, Any] = field(default_factory=dict)
    augmented: DecodedSource | None = None


@dataclass(frozen=True)
class RecordingFrames:
    """Decoder of an event recording to frames by the options of a dataset, see `to_frames`."""

    read: Callable[[Any], Events]
    options: DataOptions
    duration: int | None = None

    def __call__(self, item: Any) -> NDArray[np.uint8]:
        """Frames of the recording, uint8 (timesteps, 2, height, width)."""
        options = self.options
        events = downsample(rescale(self.read(item), options.size), options.pool)
        timesteps, binning, values = options.timesteps, options.binning, options.values
        return to_frames(events, timesteps, binning, values, self.duration)


def recording_source(
    items: Sequence[Any],
    read: Callable[[Any], Events],
    sensor: tuple[int, int],
    options: DataOptions,
    duration: int | None = None,
) -> DecodedSource:
    """Recordings that `read` reads from `items`, of a sensor (width, height), as frames.

    `duration` in microseconds is the window that is binned, see `to_frames`.
    """
    width, height = sensor
    none = np.zeros(0, np.int64)
    empty = Events(none, none, none, none, width, height)
    sized = downsample(rescale(empty, options.size), options.pool)
    shape = (options.timesteps, 2, sized.height, sized.width)
    limit = 1 if options.values == "binary" else 255
    return DecodedSource(items, RecordingFrames(read, options, duration), shape, max_value=limit)


def cached_file_frames(
    name: str, source: DecodedSource, options: DataOptions, **parameters: Any
) -> Cached:
    """Frames of a source of files or parts of them, from the cache; see `cached_frames`."""
    assert isinstance(source.items, FileList | FileRanges)
    chosen = options.model_dump(mode="json", include=FRAME_FIELDS)
    key = {"files": source.items.signature(), "options": chosen, **parameters}
    return cached_frames(name, key, source, CacheOptions(options.cache, options.unreadable or 0.0))


def cached_recording_frames(
    name: str,
    files: FileList,
    read: Callable[[Path], Events],
    labels: Labels,
    options: DataOptions,
    sensor: tuple[int, int],
) -> FrameSet:
    """Labeled frames of recordings, from the cache; unreadable ones are left out."""
    cached = cached_file_frames(name, recording_source(files, read, sensor, options), options)
    return FrameSet(cached.source, labels[cached.kept])


def describe_unreadable(broken: Mapping[int, str], folder: Path) -> dict[str, Any]:
    """Provenance of the files that were left out: their number, and the first messages."""
    if not broken:
        return {}
    messages = [message.replace(f"{folder}{os.sep}", "") for message in broken.values()]
    return {"unreadable": {"files": len(broken), "first": messages[:NAMED_FILES]}}
