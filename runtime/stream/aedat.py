"""Recordings in AEDAT 2.0 and 3.1, piece by piece.

Source: https://docs.inivation.com/software/software-advanced-usage/file-formats. Version 2.0 says
where a pixel is by the chip that its header names; (0, 0) is its lower left corner, here the upper
left. Of version 3.1 the packets of polarity events are read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import DataError
from .chunks import EventChunk, StreamStats

READ_SIZE = 1 << 16  # bytes, whole events of either version
MAX_HEADER = 1 << 20  # bytes; some hold all preferences of the recording program
SENSOR_HEIGHTS = {"DVS128": 128, "Davis240": 180, "DAVIS240": 180, "Davis346": 260, "DAVIS346": 260}
POLARITY_EVENTS = 1


def read_aedat(path: Path, tally: StreamStats) -> Iterator[EventChunk]:
    """Yield the events of the `.aedat` file at `path`.

    What is cut or no event counts in `tally`. Raises `DataError` where the file cannot be read, is
    of another version, or in version 2.0 of a chip that is not known.
    """
    try:
        with path.open("rb") as opened:
            version, chip = _read_header(path, opened)
            if version == "3.1":
                yield from _iter_aedat3(opened, tally)
            elif version == "2.0":
                yield from _iter_aedat2(opened, tally, chip)
            else:
                raise DataError(f"{path}: is AEDAT {version or 'of no version'}; needs 2.0 or 3.1")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_header(path: Path, opened: BinaryIO) -> tuple[str, str]:
    """Return the version and the chip (DVS128 where none is named); leave the file behind it."""
    version, chip = "", "DVS128"
    while (start := opened.tell()) < MAX_HEADER:
        line = opened.readline(MAX_HEADER)
        if not line.startswith(b"#"):
            opened.seek(start)
            break
        text = line.decode("latin-1").strip()
        if text.startswith("#!AER-DAT"):
            version = text.removeprefix("#!AER-DAT")
        if text.startswith("# AEChip:"):
            chip = text.rpartition(".")[2]
        if text == "#!END-HEADER":
            break
    if not any(chip.startswith(known) for known in SENSOR_HEIGHTS):
        raise DataError(f"{path}: is of {chip}; known are {', '.join(SENSOR_HEIGHTS)}")
    return version, chip


def _iter_aedat2(opened: BinaryIO, tally: StreamStats, chip: str) -> Iterator[EventChunk]:
    rows = next(count for known, count in SENSOR_HEIGHTS.items() if chip.startswith(known))
    while data := opened.read(READ_SIZE):
        tally.malformed += bool(len(data) % 8)
        words = np.frombuffer(data, ">u4", len(data) // 8 * 2).reshape(-1, 2).astype(np.int64)
        address, t = words[:, 0], words[:, 1]
        if chip == "DVS128":
            here = (address >> 15) == 0  # the others are signals from outside
            x, y, polarity = address >> 1 & 0x7F, address >> 8 & 0x7F, address & 1
        else:
            here = (address >> 31 | address >> 10 & 1) == 0  # the others are frames and motion
            x, y, polarity = address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1
        yield EventChunk(x[here], rows - 1 - y[here], polarity[here], t[here])


def _iter_aedat3(opened: BinaryIO, tally: StreamStats) -> Iterator[EventChunk]:
    while header := opened.read(28):
        if len(header) < 28:
            tally.malformed += 1
            return
        kind = int.from_bytes(header[:2], "little")
        size, _, overflow, _, events, _ = np.frombuffer(header, "<u4", 6, 4).tolist()
        if kind != POLARITY_EVENTS or size != 8:
            opened.seek(size * events, 1)
            continue
        for first in range(0, events, READ_SIZE // 8):
            wanted = 8 * min(events - first, READ_SIZE // 8)
            data = opened.read(wanted)
            words = np.frombuffer(data, "<u4", len(data) // 8 * 2).reshape(-1, 2).astype(np.int64)
            word, t = words[words[:, 0] & 1 == 1].T  # the others were marked as not valid
            yield EventChunk(word >> 17, word >> 2 & 0x7FFF, word >> 1 & 1, overflow << 31 | t)
            if len(data) < wanted:
                tally.malformed += 1
                return
