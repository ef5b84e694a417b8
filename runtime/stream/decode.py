"""From bytes, cut anywhere, to events: the five-byte format and lines of text."""

from typing import Literal, Protocol

import numpy as np

from .events import Piece, Tally

Format = Literal["five-byte", "csv"]
EVENT_BYTES = 5
CLOCK = 1 << 23  # microseconds until a five-byte clock starts again
LONGEST_LINE = 256  # bytes; four numbers need far fewer
LARGEST = 1 << 62  # what a coordinate or a time may be, so that nothing overflows later
NOTHING = Piece(*np.zeros((4, 0), np.int64))


class Decoder(Protocol):
    """Turns bytes into events, keeping what a later piece must complete."""

    def decode(self, data: bytes) -> Piece:
        """Return the events that `data` completes."""

    def cut(self) -> None:
        """Count what stayed incomplete, and forget it."""

    def restart(self) -> None:
        """Do the same, and be ready for another recording."""


class FiveByte:
    """40 bits an event, big-endian: x (8 bits), y (8), polarity (1), time in microseconds (23).

    The time starts again after 2^23 microseconds: a step back by more than half of that is taken
    for one round. Source: https://www.garrickorchard.com/datasets/n-mnist.
    """

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.left = b""
        self.last = -1  # the latest time as sent, none yet
        self.rounds = 0

    def decode(self, data: bytes) -> Piece:
        data = self.left + data
        whole = len(data) // EVENT_BYTES * EVENT_BYTES
        self.left = data[whole:]
        if not whole:
            return NOTHING
        raw = np.frombuffer(data, np.uint8, whole).reshape(-1, EVENT_BYTES).T.astype(np.int64)
        x, y, high, middle, low = raw
        sent = (high & 0x7F) << 16 | middle << 8 | low
        steps = np.diff(sent, prepend=sent[0] if self.last < 0 else self.last)
        turns = (steps < -CLOCK // 2).astype(np.int64) - (steps > CLOCK // 2)
        rounds = self.rounds + np.cumsum(turns)
        self.last, self.rounds = int(sent[-1]), int(rounds[-1])
        return Piece(x, y, high >> 7, sent + CLOCK * rounds)

    def cut(self) -> None:
        self.tally.malformed += bool(self.left)
        self.left = b""

    def restart(self) -> None:
        self.cut()
        self.last, self.rounds = -1, 0


class Lines:
    """A line an event, `t,x,y,polarity`, whole numbers, `t` in microseconds.

    A line that is none of this counts as malformed; of one longer than 256 bytes no more is kept.
    """

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.left = b""
        self.skipping = False  # the rest of a line that is too long

    def decode(self, data: bytes) -> Piece:
        *lines, last = (self.left + data).split(b"\n")
        if lines and self.skipping:
            lines, self.skipping = lines[1:], False
        if self.skipping or len(last) > LONGEST_LINE:
            self.tally.malformed += not self.skipping
            last, self.skipping = b"", True
        self.left = last
        rows = [row for line in lines if (row := self._row(line)) is not None]
        if not rows:
            return NOTHING
        t, x, y, polarity = np.array(rows, np.int64).T
        return Piece(x, y, polarity, t)

    def _row(self, line: bytes) -> tuple[int, ...] | None:
        if not line.strip():
            return None
        parts = line.split(b",") if len(line) <= LONGEST_LINE else []
        try:
            row = tuple(map(int, parts))
        except ValueError:
            row = ()
        if len(row) == 4 and all(abs(value) < LARGEST for value in row):
            return row
        self.tally.malformed += 1
        return None

    def cut(self) -> None:
        self.tally.malformed += bool(self.left.strip())
        self.left, self.skipping = b"", False

    def restart(self) -> None:
        self.cut()


def decoder(name: Format, tally: Tally) -> Decoder:
    """Return the decoder of a format, which counts what it cannot read in `tally`."""
    return FiveByte(tally) if name == "five-byte" else Lines(tally)
