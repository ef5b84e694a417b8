"""Recordings of any known format, read from files in bounded memory."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ...errors import DataError, PumiceError
from ..chunks import EventChunk, StreamStats
from .decoder import PART_BYTES, EventDecoder
from .sniff import SNIFF_BYTES, make_file_decoder


def open_recording(path: Path, stats: StreamStats) -> Iterator[EventChunk]:
    """Return an iterator over the events of the recording at `path`, of any known format.

    The first bytes decide the format, then the ending of the name. Raises `DataError` where the
    file is absent or no recording; the iterator does where it is damaged beyond reading or holds no
    event at all. What is damaged in part counts in `stats.malformed`.
    """
    try:
        if not path.exists():
            raise DataError(f"{path}: no such file")
        if not path.is_file():
            raise DataError(f"{path}: is no regular file; needs a recording")
        with path.open("rb") as file:
            head = file.read(SNIFF_BYTES)
        decoder = make_file_decoder(path.suffix.lower(), head, stats)
    except (OSError, ValueError) as error:
        raise _named(path, error) from None
    return read_file(path, decoder)


def read_file(path: Path, decoder: EventDecoder) -> Iterator[EventChunk]:
    """Yield the events of the file at `path`; raises `DataError` where it holds none."""
    events = 0
    before = decoder.stats.malformed
    try:
        with path.open("rb") as file:
            for chunk in _decode_file(file, decoder):
                events += len(chunk.t)
                yield chunk
            size = file.tell()
    except (OSError, PumiceError) as error:
        raise _named(path, error) from None
    if not events:
        malformed = decoder.stats.malformed - before
        raise DataError(
            f"{path}: no events in {size} bytes ({malformed} malformed); needs {decoder.expected}"
        )


def _decode_file(file: BinaryIO, decoder: EventDecoder) -> Iterator[EventChunk]:
    while data := file.read(PART_BYTES):
        yield from decoder.decode(data)
    yield from decoder.finish()


def _named(path: Path, error: Exception) -> PumiceError:
    """Return the error that names the file, of the same kind where it is one of pumice's."""
    if isinstance(error, PumiceError):
        if str(error).startswith(f"{path}: "):
            return error
        return type(error)(f"{path}: {error}")
    if isinstance(error, OSError):
        return DataError(f"{path}: cannot be read: {error.strerror or error}")
    return DataError(f"{path}: cannot be read: {error}")
