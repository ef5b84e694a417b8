"""Recordings in the files of sensor makers, read by libraries that know them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, MissingPackage
from .decode import FiveByte, Lines
from .events import Piece, Tally
from .sources import read_file

# faery reads these piece by piece
PACKETS = {".aedat4": "AEDAT 4", ".raw": "EVT 2, 2.1 and 3", ".dat": "DAT", ".es": "Event Stream"}
PIECE = 1 << 16  # events


def recording(path: Path, tally: Tally) -> Iterator[Piece]:
    """Yield the events of the recording at `path`, by the end of its name.

    `.bin` and `.bs2` are five bytes an event, `.csv` and `.txt` lines `t,x,y,polarity`; `.aedat4`,
    `.raw` (EVT 2 and 3), `.dat` and `.es` are read by faery, `.aedat` (2 and 3.1) by tonic, which
    holds the whole recording. Raises `DataError` where the file is absent, damaged or of another
    kind, and `MissingPackage` where the library is not installed.
    """
    readers: dict[str, Callable[[Path, Tally], Iterator[Piece]]] = {
        **dict.fromkeys((".bin", ".bs2"), lambda path, tally: read_file(path, FiveByte(tally))),
        **dict.fromkeys((".csv", ".txt"), lambda path, tally: read_file(path, Lines(tally))),
        **dict.fromkeys(PACKETS, _by_faery),
        ".aedat": _by_tonic,
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


def _by_tonic(path: Path, tally: Tally) -> Iterator[Piece]:
    try:
        from tonic import io
    except ModuleNotFoundError:
        raise MissingPackage(f"{path}: needs tonic: pip install 'pumice[events]'") from None
    read = io.read_dvs_ibm if _version(path) == "3.1" else io.read_dvs_128
    try:
        _, events = read(str(path))
    except Exception as error:  # a damaged file fails anywhere in it
        raise DataError(f"{path}: is not a whole recording ({_line(error)})") from error
    yield from _pieces(events, "p")


def _version(path: Path) -> str:
    with path.open("rb") as opened:
        first = opened.readline(80).decode("latin-1")
    return first.removeprefix("#!AER-DAT").strip()


def _pieces(events: NDArray[Any], polarity: str) -> Iterator[Piece]:
    for first in range(0, len(events), PIECE):
        part = events[first : first + PIECE]
        x, y, on, t = (part[name].astype(np.int64) for name in ("x", "y", polarity, "t"))
        yield Piece(x, y, on, t)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
