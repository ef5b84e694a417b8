"""Prophesee DAT recordings (`.dat`), N-CARS among them."""

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from ...errors import DataError
from ..chunks import EventChunk, StreamStats
from .clock import WrappingClock
from .decoder import HeaderDecoder
from .header import find_body, header_lines, shorten

KINDS = {0x00: "2D", 0x0C: "CD"}
EVENT_BYTES = 8


class DatDecoder(HeaderDecoder):
    """A header, a byte each for the type and the size of an event, then events of 8 bytes.

    Little-endian: 32 bits of microseconds, then of version 2 x in bits 0-13, y in 14-27, polarity
    in 28; of version 1 x in bits 0-8, y in 9-16, polarity in 17. Events are 2D (type 0x00, as
    N-CARS has) or CD (0x0C).

    Source: https://docs.prophesee.ai/stable/data/file_formats/dat.html and OpenEB's `dat_tools.py`.
    """

    expected: ClassVar[str] = "a DAT header, then 2D or CD events of 8 bytes"

    def __init__(self, stats: StreamStats) -> None:
        self.clock = WrappingClock(1 << 32, 1 << 31)
        super().__init__(stats)

    def reset(self) -> None:
        """Discard an incomplete event, the header and the time."""
        super().reset()
        self.clock.reset()
        self.version = "2"

    def _read_header(self, data: bytes) -> int | None:
        length = find_body(data, b"%", (), self.at_end)
        if length is None or len(data) < length + 2:
            return None
        fields: dict[str, str] = {}
        for line in header_lines(data[:length]):
            name, _, value = line.removeprefix("%").strip().partition(" ")
            fields.setdefault(name, value.strip())
        self.version = fields.get("Version", "2")
        kind, event_bytes = data[length : length + 2]
        if kind not in KINDS or event_bytes != EVENT_BYTES or self.version not in ("1", "2"):
            raise DataError(
                f"holds events of type 0x{kind:02X} and {event_bytes} bytes, version "
                f"{shorten(self.version)}; needs type 0x00 or 0x0C, 8 bytes, version 1 or 2"
            )
        sides = [fields.get(name, "") for name in ("Width", "Height")]
        if all(side.isascii() and side.isdecimal() and len(side) < 6 for side in sides):
            self.size = int(sides[0]), int(sides[1])
        return length + 2

    def _decode_body(self, data: bytes) -> Iterator[EventChunk]:
        words = self._take_records(data, EVENT_BYTES).view("<u4").astype(np.int64)
        t, word = words.reshape(-1, 2).T
        x_bits, y_bits = (14, 14) if self.version == "2" else (9, 8)
        x = word & (1 << x_bits) - 1
        y = word >> x_bits & (1 << y_bits) - 1
        if len(t):
            yield EventChunk(x, y, word >> x_bits + y_bits & 1, self.clock.unwrap(t))
