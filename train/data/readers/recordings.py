"""Event recordings as frames, of every format that streams read."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import DataError
from ....runtime.input_file import open_input
from ....runtime.stream.chunks import EventChunk, StreamStats
from ....runtime.stream.recordings import read_recording
from ..cache import cached_values
from ..events import Events
from ..file_frames import FileList, Reader, recording_source
from ..options import DataOptions
from ..reading import map_items
from ..recordings import NPZ_ERRORS

RECORDING_SUFFIXES = {
    ".npz", ".bin", ".bs2", ".csv", ".txt", ".aedat", ".aedat4", ".raw", ".dat", ".es"
}  # fmt: skip


@dataclass(frozen=True)
class OnSensor:
    """Reads a recording on a sensor of `width` x `height` pixels, which has `rows` if it is given.

    With `rows` above 240, 40-bit AER files may hold events in row 240.
    """

    width: int
    height: int
    rows: int | None

    def __call__(self, file: Path) -> Events:
        """Events of the recording; raises `DataError` where the sensor does not hold them."""
        events = read_recording_events(file, self.rows)
        try:
            return Events(events.x, events.y, events.polarity, events.t, self.width, self.height)
        except DataError as error:
            raise DataError(f"{file}: {error}; set sensor=(width, height)") from None


def make_recording_reader(
    files: FileList, training: NDArray[np.int64], options: DataOptions
) -> Reader:
    """Make a reader of recordings, binned from their first event to their last.

    Without `options.sensor` the sensor is as large as the events of all recordings reach.
    """
    width, height = options.sensor or _find_sensor(files, options.unreadable or 0.0)
    rows = options.sensor[1] if options.sensor else None
    read = OnSensor(width, height, rows)
    source = recording_source(files, read, (width, height), options)
    return Reader(source)


def read_recording_events(file: Path, sensor_height: int | None = None) -> Events:
    """Events of a recording in time order, on the smallest sensor that holds them."""
    if file.suffix.lower() == ".npz":
        x, y, polarity, t = _read_npz(file)
    else:
        stats = StreamStats()
        chunks = [
            EventChunk(*np.zeros((4, 0), np.int64)),
            *read_recording(file, stats, sensor_height),
        ]
        columns = zip(*(chunk[:4] for chunk in chunks), strict=True)
        x, y, polarity, t = (np.concatenate(arrays) for arrays in columns)
        if stats.malformed:
            raise DataError(f"{file}: {stats.malformed} events cannot be read; fetch it again")
    if not len(t):
        raise DataError(f"{file}: holds no events")
    order = np.argsort(t, kind="stable")
    x, y, polarity, t = (array[order] for array in (x, y, polarity, t))
    try:
        return Events(x, y, polarity, t - t[0], int(x.max()) + 1, int(y.max()) + 1)
    except DataError as error:
        raise DataError(f"{file}: {error}") from None


def _read_npz(file: Path) -> tuple[Any, ...]:
    try:
        with open_input(file) as opened, np.load(opened, allow_pickle=False) as arrays:
            return tuple(arrays[name] for name in ("x", "y", "p", "t"))
    except DataError:
        raise
    except NPZ_ERRORS as error:
        message = " ".join(str(error).split())
        raise DataError(
            f"{file}: is not a complete .npz of arrays x, y, p and t ({message})"
        ) from error


def _find_sensor(files: FileList, unreadable: float) -> tuple[int, int]:
    """Width and height that hold the events of all recordings, from the cache."""

    def measure() -> list[int]:
        sides = [0, 0]
        for size in map_items(_size, files):
            if isinstance(size, DataError) and unreadable:
                continue  # counted where its frames are decoded
            if isinstance(size, Exception):
                raise size
            sides = [max(pair) for pair in zip(sides, size, strict=True)]
        return sides

    key = {"files": files.signature(), "unreadable": bool(unreadable)}
    width, height = cached_values("sensor", key, measure)
    if not width:
        raise DataError(f"{files.folder}: no recording can be read")
    return int(width), int(height)


def _size(file: Path) -> tuple[int, int]:
    events = read_recording_events(file)
    return events.width, events.height
