"""Event Stream recordings (`.es`)."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ...errors import DataError
from ..chunks import EventChunk
from .decoder import HeaderDecoder

MAGIC = b"Event Stream"
HEADER_BYTES = 20
KINDS = {0: "generic", 1: "DVS", 2: "ATIS", 4: "color"}
DVS, ATIS = 1, 2
EVENT_BYTES = 5


class EventStreamDecoder(HeaderDecoder):
    """Events of 5 bytes behind bytes that let time pass: DVS, or the changes of an ATIS.

    Each event begins with the time since the one before and its flags: 7 bits and polarity (DVS),
    6 bits, polarity and exposure (ATIS, whose exposure events are skipped); then x and y, 16 bits
    each, little-endian, from the lower left corner; here y counts from above. Generic and color
    events have no polarity and are rejected.

    Source: https://github.com/neuromorphic-paris/event_stream, version 2; faery mirrors y likewise.
    """

    expected: ClassVar[str] = "Event Stream version 2 with DVS or ATIS events"

    def reset(self) -> None:
        """Discard an incomplete event, the header and the time."""
        super().reset()
        self.kind, self.time = DVS, 0

    def _read_header(self, data: bytes) -> int | None:
        if len(data) < HEADER_BYTES:
            return None
        major, minor, patch, self.kind = data[len(MAGIC) : len(MAGIC) + 4]
        if not data.startswith(MAGIC) or major != 2:
            raise DataError(f"is version {major}.{minor}.{patch}; needs {self.expected}")
        if self.kind not in (DVS, ATIS):
            named = KINDS.get(self.kind, f"type {self.kind}")
            raise DataError(f"holds {named} events, without polarity; needs {self.expected}")
        width, height = np.frombuffer(data, "<u2", 2, HEADER_BYTES - 4).tolist()
        self.size = width, height
        return HEADER_BYTES

    def _decode_body(self, data: bytes) -> Iterator[EventChunk]:
        if self.kind == DVS:
            starts, times = self._find_dvs(data)
        else:
            starts, times = self._find_atis(data)
        if not starts:
            return
        at = np.array(starts)[:, None] + np.arange(EVENT_BYTES)
        flags, x, high_x, y, high_y = np.frombuffer(data, np.uint8)[at].T.astype(np.int64)
        t = np.array(times, np.int64)
        polarity = flags & 1
        if self.kind == ATIS:
            is_change = flags & 1 == 0
            x, high_x, y, high_y, t = (array[is_change] for array in (x, high_x, y, high_y, t))
            polarity = flags[is_change] >> 1 & 1
        if len(t):
            assert self.size is not None
            yield EventChunk(x | high_x << 8, self.size[1] - 1 - (y | high_y << 8), polarity, t)

    def _find_dvs(self, data: bytes) -> tuple[list[int], list[int]]:
        """Find the offsets and times of the complete events; keep the rest of `data`."""
        starts, times = [], []
        position, time = 0, self.time
        while position < len(data):
            byte = data[position]
            if byte >= 0xFE:
                time += 0x7F if byte == 0xFF else 0
                position += 1
                continue
            if position + EVENT_BYTES > len(data):
                break
            time += byte >> 1
            starts.append(position)
            times.append(time)
            position += EVENT_BYTES
        self.time, self.remainder = time, data[position:]
        return starts, times

    def _find_atis(self, data: bytes) -> tuple[list[int], list[int]]:
        """Find the offsets and times of the complete events; keep the rest of `data`."""
        starts, times = [], []
        position, time = 0, self.time
        while position < len(data):
            byte = data[position]
            if byte >= 0xFC:
                time += 0x3F * (byte & 3)
                position += 1
                continue
            if position + EVENT_BYTES > len(data):
                break
            time += byte >> 2
            starts.append(position)
            times.append(time)
            position += EVENT_BYTES
        self.time, self.remainder = time, data[position:]
        return starts, times
