"""Read AEDAT 2.0 and 3.1 recordings, chunk by chunk.

Source: https://docs.inivation.com/software/software-advanced-usage/file-formats. In version 2.0 the
address layout depends on the chip that the header names; (0, 0) is its lower left corner, here the
upper left. Of version 3.1 the packets of polarity events are read.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import DataError
from .chunks import EventChunk, StreamStats

READ_SIZE = 1 << 16  # bytes, a multiple of the event size of either version
MAX_HEADER = 1 << 20  # bytes; some contain all preferences of the recording program
SENSOR_HEIGHTS = {"DVS128": 128, "Davis240": 180, "DAVIS240": 180, "Davis346": 260, "DAVIS346": 260}
POLARITY_EVENTS = 1


def read_aedat(path: Path, stats: StreamStats) -> Iterator[EventChunk]:
    """Read the events of an `.aedat` file; malformed input is counted in `stats`.

    Raises `DataError` where the file cannot be read, has another version, or in version 2.0 is of
    an unknown chip.
    """
    try:
        with path.open("rb") as file:
            version, chip = _read_header(path, file)
            if version == "3.1":
                yield from _iter_aedat3(file, stats)
            elif version == "2.0":
                yield from _iter_aedat2(file, stats, chip)
            else:
                raise DataError(f"{path}: has AEDAT version {version or 'none'}, needs 2.0 or 3.1")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_header(path: Path, file: BinaryIO) -> tuple[str, str]:
    """Read the header up to its end: the version, and the chip (DVS128 by default)."""
    version, chip = "", "DVS128"
    while (start := file.tell()) < MAX_HEADER:
        line = file.readline(MAX_HEADER)
        if not line.startswith(b"#"):
            file.seek(start)
            break
        text = line.decode("latin-1").strip()
        if text.startswith("#!AER-DAT"):
            version = text.removeprefix("#!AER-DAT")
        if text.startswith("# AEChip:"):
            chip = text.rpartition(".")[2]
        if text == "#!END-HEADER":
            break
    if not any(chip.startswith(known) for known in SENSOR_HEIGHTS):
        raise DataError(f"{path}: is of the chip {chip}; known are {', '.join(SENSOR_HEIGHTS)}")
    return version, chip


def _iter_aedat2(file: BinaryIO, stats: StreamStats, chip: str) -> Iterator[EventChunk]:
    rows = next(count for known, count in SENSOR_HEIGHTS.items() if chip.startswith(known))
    while data := file.read(READ_SIZE):
        stats.malformed += bool(len(data) % 8)
        words = np.frombuffer(data, ">u4", len(data) // 8 * 2).reshape(-1, 2).astype(np.int64)
        address, t = words[:, 0], words[:, 1]
        if chip == "DVS128":
            valid = (address >> 15) == 0  # the others are external signals
            x, y, polarity = address >> 1 & 0x7F, address >> 8 & 0x7F, address & 1
        else:
            valid = (address >> 31 | address >> 10 & 1) == 0  # the others are frames and motion
            x, y, polarity = address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1
        yield EventChunk(x[valid], rows - 1 - y[valid], polarity[valid], t[valid])


def _iter_aedat3(file: BinaryIO, stats: StreamStats) -> Iterator[EventChunk]:
    while header := file.read(28):
        if len(header) < 28:
            stats.malformed += 1
            return
        kind = int.from_bytes(header[:2], "little")
        size, _, overflow, _, events, _ = np.frombuffer(header, "<u4", 6, 4).tolist()
        if kind != POLARITY_EVENTS or size != 8:
            file.seek(size * events, 1)
            continue
        for first in range(0, events, READ_SIZE // 8):
            wanted = 8 * min(events - first, READ_SIZE // 8)
            data = file.read(wanted)
            words = np.frombuffer(data, "<u4", len(data) // 8 * 2).reshape(-1, 2).astype(np.int64)
            word, t = words[words[:, 0] & 1 == 1].T  # the others are marked as invalid
            yield EventChunk(word >> 17, word >> 2 & 0x7FFF, word >> 1 & 1, overflow << 31 | t)
            if len(data) < wanted:
                stats.malformed += 1
                return
