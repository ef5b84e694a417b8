"""Five-byte events: N-MNIST (`.bin`), N-Caltech101 and DVS128 Gesture cut-outs (`.bs2`)."""

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from ..chunks import EventChunk, StreamStats
from .clock import WrappingClock
from .decoder import EventDecoder

EVENT_BYTES = 5
TIME_BITS = 23
OVERFLOW_ROW = 240
OVERFLOW_US = 1 << 13
MAX_BACKWARD_US = 1 << 16


class Aer40Decoder(EventDecoder):
    """40 bits an event, big-endian: x (8 bits), y (8), polarity (1), time in microseconds (23).

    Source: https://www.garrickorchard.com/datasets/n-mnist. An "event" in row 240 is a mark that
    the 13-bit time of the sensor overflowed, as in the reading code of N-MNIST's authors: it is
    left out and all later times are 2^13 us later; `overflow_marks=False` keeps it as an event.
    The time of 23 bits wraps after 8.4 s: with `wraps` any step back by 65.5 ms or more is a wrap,
    so that a pause of any length is a step ahead (modulo 8.4 s).
    """

    expected: ClassVar[str] = "five bytes an event: x, y, polarity and 23 bits of microseconds"

    def __init__(self, stats: StreamStats, overflow_marks: bool = True, wraps: bool = True) -> None:
        self.overflow_marks, self.wraps = overflow_marks, wraps
        self.clock = WrappingClock(1 << TIME_BITS, MAX_BACKWARD_US)
        super().__init__(stats)

    def reset(self) -> None:
        """Discard an incomplete event and start the clock again."""
        super().reset()
        self.clock.reset()
        self.overflows = 0

    def decode_datagrams(self, datagrams: Sequence[bytes]) -> Iterator[EventChunk]:
        """Yield the events of datagrams; a partial event at the end of one is malformed."""
        sizes = [len(datagram) // EVENT_BYTES * EVENT_BYTES for datagram in datagrams]
        self.stats.malformed += sum(
            size < len(datagram) for size, datagram in zip(sizes, datagrams, strict=True)
        )
        parts = (datagram[:size] for size, datagram in zip(sizes, datagrams, strict=True))
        yield from self.decode(b"".join(parts))

    def _decode_part(self, data: bytes) -> Iterator[EventChunk]:
        x, y, high, middle, low = self._take_records(data, EVENT_BYTES).T.astype(np.int64)
        if not len(x):
            return
        t = (high & 0x7F) << 16 | middle << 8 | low
        polarity = high >> 7
        is_mark = (y == OVERFLOW_ROW) & self.overflow_marks
        marks = self.overflows + np.cumsum(is_mark)
        self.overflows = int(marks[-1])
        x, y, polarity, t, marks = (array[~is_mark] for array in (x, y, polarity, t, marks))
        if self.wraps:
            t = self.clock.unwrap(t)
        yield EventChunk(x, y, polarity, t + OVERFLOW_US * marks)
