"""Decode events from a byte stream cut anywhere: 40-bit AER and CSV."""

from typing import Literal, Protocol

import numpy as np

from .chunks import EventChunk, StreamStats

Format = Literal["five-byte", "csv"]
EVENT_BYTES = 5
CLOCK_PERIOD = 1 << 23  # microseconds after which the 23-bit timestamp wraps
MAX_LINE_LENGTH = 256  # bytes; four numbers need far fewer
MAX_ABS_VALUE = 1 << 62  # of a coordinate or timestamp, so that nothing overflows later
NO_EVENTS = EventChunk(*np.zeros((4, 0), np.int64))


class Decoder(Protocol):
    """Decoder of a byte stream, which keeps the bytes of a partial event."""

    def decode(self, data: bytes) -> EventChunk:
        """Decode the events that `data` completes."""

    def flush(self) -> None:
        """Drop a partial event and count it as malformed."""

    def reset(self) -> None:
        """Flush, and prepare for another recording."""


class Aer40Decoder:
    """40-bit AER events, big-endian: x (8 bits), y (8), polarity (1), time in microseconds (23).

    The timestamp wraps after 2^23 microseconds: a step back by more than half of that counts as one
    wrap. Source: https://www.garrickorchard.com/datasets/n-mnist.
    """

    def __init__(self, stats: StreamStats) -> None:
        self.stats = stats
        self.remainder = b""
        self.last_timestamp = -1  # as sent; none yet
        self.wraps = 0

    def decode(self, data: bytes) -> EventChunk:
        """Decode the events that `data` completes."""
        data = self.remainder + data
        size = len(data) // EVENT_BYTES * EVENT_BYTES
        self.remainder = data[size:]
        if not size:
            return NO_EVENTS
        raw = np.frombuffer(data, np.uint8, size).reshape(-1, EVENT_BYTES).T.astype(np.int64)
        x, y, high, middle, low = raw
        sent = (high & 0x7F) << 16 | middle << 8 | low
        steps = np.diff(sent, prepend=sent[0] if self.last_timestamp < 0 else self.last_timestamp)
        turns = (steps < -CLOCK_PERIOD // 2).astype(np.int64) - (steps > CLOCK_PERIOD // 2)
        wraps = self.wraps + np.cumsum(turns)
        self.last_timestamp, self.wraps = int(sent[-1]), int(wraps[-1])
        return EventChunk(x, y, high >> 7, sent + CLOCK_PERIOD * wraps)

    def flush(self) -> None:
        """Drop a partial event and count it as malformed."""
        self.stats.malformed += bool(self.remainder)
        self.remainder = b""

    def reset(self) -> None:
        """Flush, and prepare for another recording."""
        self.flush()
        self.last_timestamp, self.wraps = -1, 0


class CsvDecoder:
    """Lines `t,x,y,polarity` of integers, one event each, `t` in microseconds.

    Any other line counts as malformed; lines are limited to 256 bytes.
    """

    def __init__(self, stats: StreamStats) -> None:
        self.stats = stats
        self.remainder = b""
        self.skipping = False  # the rest of a line that is too long

    def decode(self, data: bytes) -> EventChunk:
        """Decode the events that `data` completes."""
        *lines, last = (self.remainder + data).split(b"\n")
        if lines and self.skipping:
            lines, self.skipping = lines[1:], False
        if self.skipping or len(last) > MAX_LINE_LENGTH:
            self.stats.malformed += not self.skipping
            last, self.skipping = b"", True
        self.remainder = last
        rows = [row for line in lines if (row := self._parse_line(line)) is not None]
        if not rows:
            return NO_EVENTS
        t, x, y, polarity = np.array(rows, np.int64).T
        return EventChunk(x, y, polarity, t)

    def _parse_line(self, line: bytes) -> tuple[int, ...] | None:
        if not line.strip():
            return None
        parts = line.split(b",") if len(line) <= MAX_LINE_LENGTH else []
        try:
            row = tuple(map(int, parts))
        except ValueError:
            row = ()
        if len(row) == 4 and all(abs(value) < MAX_ABS_VALUE for value in row):
            return row
        self.stats.malformed += 1
        return None

    def flush(self) -> None:
        """Drop a partial line and count it as malformed."""
        self.stats.malformed += bool(self.remainder.strip())
        self.remainder, self.skipping = b"", False

    def reset(self) -> None:
        """Flush, and prepare for another recording."""
        self.flush()


def make_decoder(name: Format, stats: StreamStats) -> Decoder:
    """Make the decoder of a format; it counts malformed input in `stats`."""
    return Aer40Decoder(stats) if name == "five-byte" else CsvDecoder(stats)
