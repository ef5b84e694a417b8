"""Read event-camera recordings: AER, CSV, AEDAT, EVT, DAT and Event Stream files."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..extras import import_extra
from .aedat import read_aedat
from .chunks import EventChunk, StreamStats
from .decoders import Aer40Decoder, CsvDecoder
from .sources import iter_file

# read by faery, chunk by chunk
FAERY_FORMATS = {
    ".aedat4": "AEDAT 4",
    ".raw": "EVT 2, 2.1 and 3",
    ".dat": "DAT",
    ".es": "Event Stream",
}
CHUNK_EVENTS = 1 << 16


def read_recording(path: str | os.PathLike[str], stats: StreamStats) -> Iterator[EventChunk]:
    """Read the events of a recording, in the format that its suffix names.

    `.bin` and `.bs2` are 40-bit AER, `.csv` and `.txt` lines `t,x,y,polarity`, `.aedat` AEDAT 2.0
    or 3.1; `.aedat4`, `.raw` (EVT 2 and 3), `.dat` and `.es` are read by faery.

    Args:
        path: File of the recording.
        stats: Counts malformed input.

    Raises:
        DataError: The file is absent, damaged or of an unknown format.
        MissingPackage: faery is needed and not installed (extra `streams`).
    """
    path = Path(path)
    readers: dict[str, Callable[[Path, StreamStats], Iterator[EventChunk]]] = {
        **dict.fromkeys((".bin", ".bs2"), lambda path, stats: iter_file(path, Aer40Decoder(stats))),
        **dict.fromkeys((".csv", ".txt"), lambda path, stats: iter_file(path, CsvDecoder(stats))),
        **dict.fromkeys(FAERY_FORMATS, _read_with_faery),
        ".aedat": read_aedat,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: unknown recording format; known are {', '.join(readers)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    return reader(path, stats)


def _read_with_faery(path: Path, stats: StreamStats) -> Iterator[EventChunk]:
    faery = import_extra("faery", "streams", str(path))
    try:
        for packet in faery.events_stream_from_file(path):
            yield from _split_chunks(packet, "on")
    except Exception as error:  # its Rust core raises errors of many kinds
        raise DataError(f"{path}: is truncated or damaged ({_one_line(error)})") from error


def _split_chunks(events: NDArray[Any], polarity: str) -> Iterator[EventChunk]:
    for first in range(0, len(events), CHUNK_EVENTS):
        part = events[first : first + CHUNK_EVENTS]
        x, y, on, t = (part[name].astype(np.int64) for name in ("x", "y", polarity, "t"))
        yield EventChunk(x, y, on, t)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
