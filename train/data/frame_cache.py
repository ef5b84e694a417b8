"""Disk cache of decoded frames: built in parallel, resumed after a kill, complete or absent.

A cache is a folder of the user's cache folder, named by what made it: `frames.bin` holds the
samples one after the other, `index.json` their number, their shape and the items that could not be
decoded. It is built under another name, where a journal records each finished chunk, and renamed
when it is complete; one that was abandoned for a month is removed. Plain files: readers map what
they need (`FileSource`), and nothing but the library is needed to read them.
"""

import json
import math
import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError, PumiceError, PumiceWarning
from ...runtime.files import atomic_write, cache_path
from .cache import cache_key, warn_not_cached
from .progress import track
from .reading import default_workers, load_ahead
from .sources import DecodedSource, FileSource, IndexedSource, SampleSource, item_shape

CHUNK_BYTES = 1 << 23  # of samples that are decoded and written together
MAX_CHUNK = 256
SMALL = 64  # samples that are decoded without worker processes
MAX_AUTO_BYTES = 16 << 30  # of a cache that is made without being asked for
LOCK_SECONDS = 0.2  # between two attempts to lock
ABANDONED_SECONDS = 30 * 24 * 3600.0  # after which an unfinished cache is removed
FRAMES_FILE, INDEX_FILE, JOURNAL_FILE = "frames.bin", "index.json", "journal"


@dataclass(frozen=True)
class CacheOptions:
    """Storage layout of decoded samples.

    - `use`: whether on disk; None: up to 16 GiB, where half of the free disk has room.
    - `unreadable`: largest fraction of items that may be damaged, and are left out.
    - `progress`: show a progress bar while the cache is built.
    """

    use: bool | None = None
    unreadable: float = 0.0
    progress: bool | None = None


@dataclass
class _Build:
    """State of a build: finished chunks, largest value, messages of damaged items by index."""

    done: set[int] = field(default_factory=set)
    max_value: int = 0
    broken: dict[int, str] = field(default_factory=dict)

    def add(self, record: Mapping[str, Any]) -> None:
        self.done.add(int(record["chunk"]))
        self.max_value = max(self.max_value, int(record["max"]))
        self.broken |= {int(k): str(v) for k, v in record["broken"].items()}

    def check(self, unreadable: float, samples: int) -> None:
        """Raise `DataError` where more items are damaged than may be."""
        count = len(self.broken)
        if not count or count <= unreadable * samples:
            return
        first = self.broken[min(self.broken)]
        if not unreadable:
            raise DataError(first)
        raise DataError(
            f"{count} of {samples} samples cannot be read, more than unreadable = {unreadable:g} "
            f"allows; the first: {first}"
        )


@dataclass(frozen=True)
class Cached:
    """Samples that could be decoded, their indices, and the messages of the others by index."""

    source: SampleSource
    kept: NDArray[np.int64]
    broken: Mapping[int, str]


def cached_frames(
    name: str,
    parameters: Mapping[str, Any],
    source: DecodedSource,
    options: CacheOptions = CacheOptions(),
) -> Cached:
    """Samples of `source` from a cache on disk, which is built first where it is absent.

    Where no cache is to be kept or the disk has no room, samples are decoded when asked for; all
    are decoded once in advance only if some may be damaged.

    Args:
        name: Start of the folder's name.
        parameters: Plain values that determine what the source decodes; the cache key.
        source: The source; its workers decode in parallel.
        options: Whether to keep a cache, and how many damaged items to leave out.

    Raises:
        DataError: More items are damaged than `options.unreadable` allows.
        MissingPackage: A package that decodes the items is not installed.
    """
    total = len(source) * math.prod(item_shape(source))
    folder = cache_path(f"{name}-{cache_key({**parameters, 'shape': item_shape(source)})}")
    if folder is not None and (cached := _open(folder, source, options.unreadable)):
        return cached
    if folder is None or not _is_wanted(folder, total, options.use):
        return _list_uncached(source, options)
    try:
        _build(folder, source, options)
    except OSError as error:  # a cache that cannot be written costs time, nothing else
        shutil.rmtree(_partial_folder(folder), ignore_errors=True)
        warn_not_cached(error)
        return _list_uncached(source, options)
    cached = _open(folder, source, options.unreadable)
    return cached or _list_uncached(source, options)


def _is_wanted(folder: Path, total: int, use: bool | None) -> bool:
    if use is not None:
        return use
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder.parent).free
    except OSError as error:
        warn_not_cached(error)
        return False
    return total <= min(MAX_AUTO_BYTES, free // 2)


def _open(folder: Path, source: DecodedSource, unreadable: float) -> Cached | None:
    """Open a complete cache; None where there is none."""
    index = _read_index(folder, source)
    if index is None:
        return None
    frames, build = index
    build.check(unreadable, len(source))
    return _without_broken(frames, build)


def _read_index(folder: Path, source: DecodedSource) -> tuple[FileSource, _Build] | None:
    """Frames and index of a cache; None where it is absent or damaged."""
    try:
        index = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        build = _Build(max_value=int(index["max"]))
        build.broken = {int(k): str(v) for k, v in index["broken"].items()}
        path = folder / FRAMES_FILE
        frames = FileSource(path, len(source), source.shape, source.static, build.max_value)
    except (OSError, KeyError, ValueError, TypeError, AttributeError):
        return None
    return frames, build


def _without_broken(source: SampleSource, build: _Build) -> Cached:
    """Leave out the damaged items, with a warning that counts them and names the first."""
    if build.broken:
        count, first = len(build.broken), build.broken[min(build.broken)]
        message = f"{count} of {len(source)} samples cannot be read and are left out; the first: "
        warnings.warn(message + first, PumiceWarning, stacklevel=3)
    kept = np.setdiff1d(np.arange(len(source)), np.array([*build.broken], np.int64))
    chosen = source if len(kept) == len(source) else IndexedSource(source, kept)
    return Cached(chosen, kept, build.broken)


def _list_uncached(source: DecodedSource, options: CacheOptions) -> Cached:
    build = _Build()
    if options.unreadable:
        for _, record in _decode_chunks(source, build.done, options.progress):
            build.add(record)
            build.check(options.unreadable, len(source))
    return _without_broken(source, build)


def _build(folder: Path, source: DecodedSource, options: CacheOptions) -> None:
    """Build the cache, or finish one that was interrupted; one process at a time."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder.parent)
    partial = _partial_folder(folder)
    sample_bytes = math.prod(item_shape(source))
    with _lock(folder.with_name(f"{folder.name}.lock")):
        if _read_index(folder, source):  # built by another process meanwhile
            return
        shutil.rmtree(folder, ignore_errors=True)  # damaged
        partial.mkdir(exist_ok=True)
        with _open_or_create(partial / FRAMES_FILE) as frames, \
             _open_or_create(partial / JOURNAL_FILE) as journal:  # fmt: skip
            _allocate(frames, len(source) * sample_bytes)
            build = _read_journal(journal)
            build.check(options.unreadable, len(source))
            for chunk, record in _decode_chunks(source, build.done, options.progress):
                frames.seek(record["chunk"] * _chunk_size(source) * sample_bytes)
                frames.write(chunk.data)
                _sync(frames)
                journal.write(json.dumps(record).encode() + b"\n")
                _sync(journal)
                build.add(record)
                build.check(options.unreadable, len(source))
        index = {"max": build.max_value, "broken": build.broken, "samples": len(source)}
        with atomic_write(partial / INDEX_FILE) as temporary:
            temporary.write_text(json.dumps(index), encoding="utf-8")
        partial.replace(folder)


def _partial_folder(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.partial")


def _decode_chunks(
    source: DecodedSource, done: set[int], progress: bool | None
) -> Iterator[tuple[NDArray[np.uint8], dict[str, Any]]]:
    """Decode the chunks that are not done, in order: frames, and the record for the journal."""
    size = _chunk_size(source)
    chunks = [k for k in range(math.ceil(len(source) / size)) if k not in done]
    workers = default_workers(source) if len(source) > SMALL else 0
    loaded = load_ahead(_ChunkReader(source, chunks, size), workers)
    yield from track(loaded, len(chunks), "decoding", progress)


def _chunk_size(source: DecodedSource) -> int:
    return max(1, min(MAX_CHUNK, CHUNK_BYTES // math.prod(item_shape(source))))


class _ChunkReader:
    """Decoded chunks as a map-style dataset; damaged items are zeros, with their messages."""

    def __init__(self, source: DecodedSource, chunks: Sequence[int], size: int) -> None:
        self.source, self.chunks, self.size = source, chunks, size

    def __len__(self) -> int:
        return len(self.chunks)

    def __getitem__(self, number: int) -> "tuple[NDArray[np.uint8], dict[str, Any]] | PumiceError":
        chunk = self.chunks[number]
        first = chunk * self.size
        samples = range(first, min(first + self.size, len(self.source)))
        frames = np.zeros((len(samples), *item_shape(self.source)), np.uint8)
        broken = {}
        for row, index in enumerate(samples):
            try:
                frames[row] = self.source.decode_item(index)
            except DataError as error:
                broken[index] = str(error)
            except PumiceError as error:  # such as a missing package
                return error
        return frames, {"chunk": chunk, "max": int(frames.max()), "broken": broken}


def _read_journal(journal: BinaryIO) -> _Build:
    """Records of finished chunks; a line that was cut off by a kill is overwritten."""
    build, end = _Build(), 0
    for line in journal:
        try:
            build.add(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError):
            break
        end += len(line)
    journal.seek(end)
    journal.truncate()
    return build


def _open_or_create(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")


def _allocate(file: BinaryIO, size: int) -> None:
    """Reserve the space, so that a full disk is met before hours of decoding, not after."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
    else:
        file.truncate(size)


def _sync(file: BinaryIO) -> None:
    file.flush()
    getattr(os, "fdatasync", os.fsync)(file.fileno())  # fdatasync is absent on macOS and Windows


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Exclusive lock of a file, which a kill releases; the file is left behind, empty."""
    with path.open("a+b") as file:
        while not _try_lock(file):
            time.sleep(LOCK_SECONDS)
        yield


def _try_lock(file: BinaryIO) -> bool:
    """Lock an open file until it is closed; False where another process holds the lock."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_abandoned(folder: Path, seconds: float = ABANDONED_SECONDS) -> list[Path]:
    """Remove unfinished caches in `folder` that nobody has written for `seconds`, and return them.

    One that another process builds is locked, and stays.
    """
    removed = []
    for partial in folder.glob("*.partial"):
        try:
            newest = max(file.stat().st_mtime for file in (partial, *partial.iterdir()))
            if time.time() - newest < seconds:
                continue
            lock = partial.with_name(f"{partial.name.removesuffix('.partial')}.lock")
            with lock.open("a+b") as file:
                if not _try_lock(file):
                    continue
                shutil.rmtree(partial)
                removed.append(partial)
        except OSError:  # removed by another process meanwhile, or not ours to remove
            continue
    return removed
