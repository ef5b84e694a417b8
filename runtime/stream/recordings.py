"""Read event-camera recordings of any known format in bounded memory."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError, PumiceError
from .chunks import EventChunk, StreamStats
from .formats import EventDecoder, make_file_decoder
from .formats.decoder import PART_BYTES
from .formats.sniff import SNIFF_BYTES


def read_recording(
    path: str | os.PathLike[str], stats: StreamStats, sensor_height: int | None = None
) -> Iterator[EventChunk]:
    """Read the events of a recording, in the format that its first bytes or its suffix name.

    `.bin` and `.bs2` are 40-bit AER, `.csv` and `.txt` lines of text, `.aedat` AEDAT 2.0, 3.1 or
    4, `.aedat4` AEDAT 4, `.raw` EVT 2.0, 2.1 or 3.0, `.dat` DAT and `.es` Event Stream. A format
    with a header is recognized under any name.

    Args:
        path: File of the recording.
        stats: Counts malformed input.
        sensor_height: Rows of the sensor, where known: with more than 240, a 40-bit AER event in
            row 240 is an event and no timer overflow.

    Raises:
        DataError: The file is absent or no recording; while iterating, it is damaged beyond
            reading or holds no event.
        MissingPackage: The recording is compressed and the extra `streams` is not installed.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise DataError(f"{path}: no such file")
        if not path.is_file():
            raise DataError(f"{path}: is no regular file; needs a recording")
        with path.open("rb") as file:
            head = file.read(SNIFF_BYTES)
        decoder = make_file_decoder(path.suffix.lower(), head, stats, sensor_height)
    except (OSError, ValueError) as error:
        raise _with_path(path, error) from None
    return _iter_file(path, decoder)


def _iter_file(path: Path, decoder: EventDecoder) -> Iterator[EventChunk]:
    events = 0
    before = decoder.stats.malformed
    try:
        with path.open("rb") as file:
            for chunk in _decode_file(file, decoder):
                events += len(chunk.t)
                yield chunk
            size = file.tell()
    except (OSError, PumiceError) as error:
        raise _with_path(path, error) from None
    if not events:
        malformed = decoder.stats.malformed - before
        raise DataError(
            f"{path}: holds no events ({size} bytes, {malformed} malformed); "
            f"needs {decoder.expected}"
        )


def _decode_file(file: BinaryIO, decoder: EventDecoder) -> Iterator[EventChunk]:
    while data := file.read(PART_BYTES):
        yield from decoder.decode(data)
    yield from decoder.finish()


def _with_path(path: Path, error: Exception) -> PumiceError:
    """Return the error that names the file, of the same kind where it is one of pumice's."""
    if isinstance(error, PumiceError):
        named = str(error).startswith(f"{path}: ")
        return error if named else type(error)(f"{path}: {error}")
    reason = error.strerror if isinstance(error, OSError) else None
    return DataError(f"{path}: cannot be read: {reason or error}")
