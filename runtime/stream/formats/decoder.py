"""Interface of an event format: bytes in, cut anywhere; chunks of events out, in bounded memory."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..chunks import EventChunk, StreamStats
from .header import MAX_HEADER_BYTES

PART_BYTES = 1 << 16  # input that is decoded at once, however much is passed


class EventDecoder(ABC):
    """State of one recording while it is decoded.

    Pass the bytes to `decode` as they come, then call `finish`. `size` is the (width, height) of
    the sensor where the recording states it. What cannot be decoded counts in `stats.malformed`;
    `DataError` is raised where the rest of the recording is out of reach. The iterators change the
    state: consume each one before the next call.
    """

    expected: ClassVar[str]  # form of a recording, for error messages

    def __init__(self, stats: StreamStats) -> None:
        self.stats = stats
        self.remainder = b""
        self.reset()

    def reset(self) -> None:
        """Discard an incomplete event and be ready for another recording."""
        self.discard()
        self.size: tuple[int, int] | None = None

    def discard(self) -> None:
        """Count an incomplete event as malformed and drop it; the clock goes on."""
        self.stats.malformed += bool(self.remainder)
        self.remainder = b""

    def decode(self, data: bytes) -> Iterator[EventChunk]:
        """Yield the events that `data` completes, at most those of 64 KiB of input a chunk."""
        for first in range(0, len(data), PART_BYTES):
            part = self.remainder + data[first : first + PART_BYTES]
            self.remainder = b""
            yield from self._decode_part(part)

    def finish(self) -> Iterator[EventChunk]:
        """Yield the events that only the end of the recording completes."""
        self.discard()
        yield from ()

    def decode_datagrams(self, datagrams: Sequence[bytes]) -> Iterator[EventChunk]:
        """Yield the events of datagrams, each of which stands for itself; the clock goes on."""
        for datagram in datagrams:
            yield from self.decode(datagram)
            yield from self.finish()

    @abstractmethod
    def _decode_part(self, data: bytes) -> Iterator[EventChunk]:
        """Decode `data`, which begins with the former remainder, and set the new one."""

    def _take_records(self, data: bytes, record_bytes: int) -> NDArray[np.uint8]:
        """Return complete records, uint8 (records, record_bytes); keep the rest of `data`."""
        complete = len(data) // record_bytes * record_bytes
        self.remainder = data[complete:]
        return np.frombuffer(data, np.uint8, complete).reshape(-1, record_bytes)


class HeaderDecoder(EventDecoder):
    """A decoder of recordings that begin with a header.

    `_read_header` finds where the body begins. Where the layout of the body depends on its first
    bytes, `probe_bytes` of it are collected for `_start_body`.
    """

    probe_bytes = 0

    def reset(self) -> None:
        """Discard an incomplete event and expect the header of another recording."""
        super().reset()
        self.in_body = self.is_probing = self.at_end = False

    def finish(self) -> Iterator[EventChunk]:
        """Yield the events that only the end of the recording completes."""
        data, self.remainder, self.at_end = self.remainder, b"", True
        yield from self._decode_part(data)
        self.discard()

    def _decode_part(self, data: bytes) -> Iterator[EventChunk]:
        if not self.in_body and not self.is_probing:
            length = self._read_header(data)
            if length is None:
                if self.at_end or len(data) > MAX_HEADER_BYTES:
                    raise DataError(f"has no end of its header; needs {self.expected}")
                self.remainder = data
                return
            self.is_probing, data = True, data[length:]
        if not self.in_body:
            if len(data) < self.probe_bytes and not self.at_end:
                self.remainder = data
                return
            self._start_body(data[: self.probe_bytes])
            self.in_body = True
        for first in range(0, len(data), PART_BYTES):
            part = self.remainder + data[first : first + PART_BYTES]
            self.remainder = b""
            yield from self._decode_body(part)

    @abstractmethod
    def _read_header(self, data: bytes) -> int | None:
        """Return the length of the header, None while it is incomplete; raise `DataError`."""

    def _start_body(self, data: bytes) -> None:
        """Choose the layout from the first bytes of the body."""

    @abstractmethod
    def _decode_body(self, data: bytes) -> Iterator[EventChunk]:
        """Decode `data` of the body, which begins with the former remainder."""


def hold_last(
    values: NDArray[np.int64], is_new: NDArray[np.bool_], initial: int
) -> NDArray[np.int64]:
    """Sample and hold: at each place the latest value where `is_new`, `initial` before the first.

    All are (words,).
    """
    latest = np.maximum.accumulate(np.where(is_new, np.arange(len(values)), -1))
    return np.where(latest >= 0, values[latest], initial)
