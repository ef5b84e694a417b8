"""AEDAT 3.1, the recordings of cAER (`.aedat`)."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ...errors import DataError
from ..chunks import EventChunk
from .decoder import HeaderDecoder
from .header import find_body, header_lines, shorten

END_LINES = (b"#!END-HEADER",)
PACKET_HEADER_BYTES = 28
POLARITY_EVENTS, POLARITY_BYTES = 1, 8
MAX_PACKET_BYTES = 1 << 30


class Aedat3Decoder(HeaderDecoder):
    """Packets of a header of 28 bytes and events of one kind, little-endian.

    A polarity event has a word (bit 0 valid, 1 polarity, 2-16 y, 17-31 x; the origin is the upper
    left corner) and 31 bits of microseconds; the packet counts the overflows of that clock. Events
    marked as invalid and packets of other kinds are skipped. A packet of an impossible size or
    beyond the end of the recording counts as malformed; what follows an impossible one is lost.

    Source: https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-3.1.html
    and libcaer's `events/common.h`, `events/polarity.h`.
    """

    expected: ClassVar[str] = "AEDAT 3.1: a header, then packets of polarity events"

    def reset(self) -> None:
        """Discard an incomplete packet and expect a header."""
        self.event_bytes = self.skip_bytes = 0  # left of the packet
        super().reset()
        self.overflow, self.is_lost = 0, False

    def discard(self) -> None:
        """Count a packet that the end of the recording cuts."""
        self.stats.malformed += self.event_bytes + self.skip_bytes > 0 and not self.remainder
        self.event_bytes = self.skip_bytes = 0
        super().discard()

    def _read_header(self, data: bytes) -> int | None:
        length = find_body(data, b"#", END_LINES, self.at_end)
        for line in header_lines(data[: length or 0]):
            name, _, value = line.partition(":")
            if name == "#Format" and value.strip() not in ("RAW", "0"):
                raise DataError(
                    f"is AEDAT 3.1 of format {shorten(value.strip())}; needs format RAW"
                )
        return length

    def _decode_body(self, data: bytes) -> Iterator[EventChunk]:
        position = 0
        while position < len(data) and not self.is_lost:
            if self.skip_bytes:
                step = min(self.skip_bytes, len(data) - position)
                self.skip_bytes -= step
                position += step
            elif self.event_bytes:
                left = len(data) - position
                step = min(self.event_bytes, left // POLARITY_BYTES * POLARITY_BYTES)
                if not step:
                    break
                yield self._decode_events(data[position : position + step])
                self.event_bytes -= step
                position += step
            elif len(data) - position < PACKET_HEADER_BYTES:
                break
            else:
                self._read_packet_header(data[position : position + PACKET_HEADER_BYTES])
                position += PACKET_HEADER_BYTES
        self.remainder = b"" if self.is_lost else data[position:]

    def _read_packet_header(self, header: bytes) -> None:
        kind = int.from_bytes(header[:2], "little", signed=True)
        event_bytes, _, overflow, _, events, valid = np.frombuffer(header, "<i4", 6, 4).tolist()
        size = event_bytes * events
        if event_bytes <= 0 or events < 0 or size > MAX_PACKET_BYTES or not 0 <= valid <= events:
            self.stats.malformed += 1
            self.is_lost = True
        elif kind == POLARITY_EVENTS and event_bytes == POLARITY_BYTES and overflow >= 0:
            self.event_bytes, self.overflow = size, overflow
        else:
            self.stats.malformed += kind == POLARITY_EVENTS
            self.skip_bytes = size

    def _decode_events(self, data: bytes) -> EventChunk:
        words = np.frombuffer(data, "<u4").reshape(-1, 2).astype(np.int64)
        word, t = words[words[:, 0] & 1 == 1].T
        t = self.overflow << 31 | t & 0x7FFFFFFF
        return EventChunk(word >> 17, word >> 2 & 0x7FFF, word >> 1 & 1, t)
