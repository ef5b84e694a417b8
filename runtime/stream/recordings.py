"""Recordings in the files of sensor makers, read by libraries that know them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, MissingPackage
from .aedat import read_aedat
from .chunks import EventChunk, StreamStats
from .decoders import Aer40Decoder, CsvDecoder
from .sources import iter_file

# faery reads these piece by piece
FAERY_FORMATS = {
    ".aedat4": "AEDAT 4",
    ".raw": "EVT 2, 2.1 and 3",
    ".dat": "DAT",
    ".es": "Event Stream",
}
CHUNK_EVENTS = 1 << 16  # events


def read_recording(path: Path, tally: StreamStats) -> Iterator[EventChunk]:
    """Yield the events of the recording at `path`, by the end of its name.

    `.bin` and `.bs2` are five bytes an event, `.csv` and `.txt` lines `t,x,y,polarity`, `.aedat`
    is AEDAT 2.0 or 3.1; `.aedat4`, `.raw` (EVT 2 and 3), `.dat` and `.es` are read by faery.

    Raises `DataError` where the file is absent, damaged or of another kind, and `MissingPackage`
    where the library is not installed.
    """
    readers: dict[str, Callable[[Path, StreamStats], Iterator[EventChunk]]] = {
        **dict.fromkeys((".bin", ".bs2"), lambda path, tally: iter_file(path, Aer40Decoder(tally))),
        **dict.fromkeys((".csv", ".txt"), lambda path, tally: iter_file(path, CsvDecoder(tally))),
        **dict.fromkeys(FAERY_FORMATS, _read_with_faery),
        ".aedat": read_aedat,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: unknown kind of recording; known are {', '.join(readers)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    return reader(path, tally)


def _read_with_faery(path: Path, tally: StreamStats) -> Iterator[EventChunk]:
    try:
        import faery
    except ModuleNotFoundError:
        raise MissingPackage(f"{path}: needs faery: pip install 'pumice[streams]'") from None
    try:
        for packet in faery.events_stream_from_file(path):
            yield from _split_chunks(packet, "on")
    except Exception as error:  # its Rust core raises what it likes
        raise DataError(f"{path}: is not a whole recording ({_one_line(error)})") from error


def _split_chunks(events: NDArray[Any], polarity: str) -> Iterator[EventChunk]:
    for first in range(0, len(events), CHUNK_EVENTS):
        part = events[first : first + CHUNK_EVENTS]
        x, y, on, t = (part[name].astype(np.int64) for name in ("x", "y", polarity, "t"))
        yield EventChunk(x, y, on, t)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
