"""Recordings in the files of sensor makers, read by libraries that know them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, MissingPackage
from .aedat import read_aedat
from .decode import FiveByte, Lines
from .events import Piece, Tally
from .sources import read_file

# faery reads these piece by piece
PACKETS = {".aedat4": "AEDAT 4", ".raw": "EVT 2, 2.1 and 3", ".dat": "DAT", ".es": "Event Stream"}
PIECE = 1 << 16  # events


def recording(path: Path, tally: Tally) -> Iterator[Piece]:
    """Yield the events of the recording at `path`, by the end of its name.

    `.bin` and `.bs2` are five bytes an event, `.csv` and `.txt` lines `t,x,y,polarity`, `.aedat`
    is AEDAT 2.0 or 3.1; `.aedat4`, `.raw` (EVT 2 and 3), `.dat` and `.es` are read by faery.

    Raises `DataError` where the file is absent, damaged or of another kind, and `MissingPackage`
    where the library is not installed.
    """
    readers: dict[str, Callable[[Path, Tally], Iterator[Piece]]] = {
        **dict.fromkeys((".bin", ".bs2"), lambda path, tally: read_file(path, FiveByte(tally))),
        **dict.fromkeys((".csv", ".txt"), lambda path, tally: read_file(path, Lines(tally))),
        **dict.fromkeys(PACKETS, _by_faery),
        ".aedat": read_aedat,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: unknown kind of recording; known are {', '.join(readers)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    return reader(path, tally)


def _by_faery(path: Path, tally: Tally) -> Iterator[Piece]:
    try:
        import faery
    except ModuleNotFoundError:
        raise MissingPackage(f"{path}: needs faery: pip install 'pumice[streams]'") from None
    try:
        for packet in faery.events_stream_from_file(path):
            yield from _pieces(packet, "on")
    except Exception as error:  # its Rust core raises what it likes
        raise DataError(f"{path}: is not a whole recording ({_line(error)})") from error


def _pieces(events: NDArray[Any], polarity: str) -> Iterator[Piece]:
    for first in range(0, len(events), PIECE):
        part = events[first : first + PIECE]
        x, y, on, t = (part[name].astype(np.int64) for name in ("x", "y", polarity, "t"))
        yield Piece(x, y, on, t)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
