"""From bytes, cut anywhere, to events: the five-byte format and lines of text."""

from typing import Literal, Protocol

import numpy as np

from .chunks import EventChunk, StreamStats

Format = Literal["five-byte", "csv"]
EVENT_BYTES = 5
CLOCK_PERIOD = 1 << 23  # microseconds until a five-byte clock starts again
MAX_LINE_LENGTH = 256  # bytes; four numbers need far fewer
MAX_ABS_VALUE = 1 << 62  # what a coordinate or a time may be, so that nothing overflows later
NO_EVENTS = EventChunk(*np.zeros((4, 0), np.int64))


class Decoder(Protocol):
    """Turns bytes into events, keeping what a later piece must complete."""

    def decode(self, data: bytes) -> EventChunk:
        """Return the events that `data` completes."""

    def flush(self) -> None:
        """Count what stayed incomplete, and forget it."""

    def reset(self) -> None:
        """Do the same, and be ready for another recording."""


class Aer40Decoder:
    """40 bits an event, big-endian: x (8 bits), y (8), polarity (1), time in microseconds (23).

    The time starts again after 2^23 microseconds: a step back by more than half of that is taken
    for one round. Source: https://www.garrickorchard.com/datasets/n-mnist.
    """

    def __init__(self, tally: StreamStats) -> None:
        self.stats = tally
        self.remainder = b""
        self.last_timestamp = -1  # the latest time as sent, none yet
        self.wraps = 0

    def decode(self, data: bytes) -> EventChunk:
        data = self.remainder + data
        whole = len(data) // EVENT_BYTES * EVENT_BYTES
        self.remainder = data[whole:]
        if not whole:
            return NO_EVENTS
        raw = np.frombuffer(data, np.uint8, whole).reshape(-1, EVENT_BYTES).T.astype(np.int64)
        x, y, high, middle, low = raw
        sent = (high & 0x7F) << 16 | middle << 8 | low
        steps = np.diff(sent, prepend=sent[0] if self.last_timestamp < 0 else self.last_timestamp)
        turns = (steps < -CLOCK_PERIOD // 2).astype(np.int64) - (steps > CLOCK_PERIOD // 2)
        rounds = self.wraps + np.cumsum(turns)
        self.last_timestamp, self.wraps = int(sent[-1]), int(rounds[-1])
        return EventChunk(x, y, high >> 7, sent + CLOCK_PERIOD * rounds)

    def flush(self) -> None:
        self.stats.malformed += bool(self.remainder)
        self.remainder = b""

    def reset(self) -> None:
        self.flush()
        self.last_timestamp, self.wraps = -1, 0


class CsvDecoder:
    """A line an event, `t,x,y,polarity`, whole numbers, `t` in microseconds.

    A line that is none of this counts as malformed; of one longer than 256 bytes no more is kept.
    """

    def __init__(self, tally: StreamStats) -> None:
        self.stats = tally
        self.remainder = b""
        self.skipping = False  # the rest of a line that is too long

    def decode(self, data: bytes) -> EventChunk:
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
        self.stats.malformed += bool(self.remainder.strip())
        self.remainder, self.skipping = b"", False

    def reset(self) -> None:
        self.flush()


def make_decoder(name: Format, tally: StreamStats) -> Decoder:
    """Return the decoder of a format, which counts what it cannot read in `tally`."""
    return Aer40Decoder(tally) if name == "five-byte" else CsvDecoder(tally)
