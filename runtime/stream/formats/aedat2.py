"""AEDAT 2.0, the recordings of jAER (`.aedat`)."""

import re
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..chunks import EventChunk, StreamStats
from .clock import WrappingClock
from .decoder import HeaderDecoder
from .header import find_body, header_lines, shorten

END_LINES = (b"#!END-HEADER", b"#End Of ASCII Header")
RECORD_BYTES = 8
DAVIS_SIZES = {128: (128, 128), 208: (208, 192), 240: (240, 180), 346: (346, 260), 640: (640, 480)}
KNOWN_CHIPS = "DVS128, " + ", ".join(f"DAVIS{number}" for number in DAVIS_SIZES)
DVS128_IS_SPECIAL = 1 << 31 | 1 << 15  # signals from outside
DAVIS_IS_SPECIAL = 1 << 31 | 1 << 10  # frames, inertial samples; signals from outside


class Aedat2Decoder(HeaderDecoder):
    """Events of 8 bytes, big-endian: an address of 32 bits and 32 bits of microseconds.

    The header names the chip, which defines the address. DVS128: y in bits 8-14, x in bits 1-7,
    polarity in bit 0, where 0 is ON. DAVIS: y in bits 22-30, x in bits 12-21, polarity in bit 11,
    where 1 is ON. The origin is the lower right corner, here the upper left: both axes are
    mirrored. Without a chip, addresses of 16 bits are those of a DVS128.

    Sources: jAER's `DVS128.java`, `DavisBaseCamera.java` and `AEFileInputStream.java`
    (https://github.com/SensorsINI/jaer); libcaer's `dvs128.c`, which mirrors and inverts likewise;
    https://docs.inivation.com/software/software-advanced-usage/file-formats/aedat-2.0.html.
    """

    expected: ClassVar[str] = "AEDAT 2.0: a header with '# AEChip: ...', then events of 8 bytes"
    probe_bytes = 1 << 16

    def __init__(self, stats: StreamStats) -> None:
        self.clock = WrappingClock(1 << 32, 1 << 31)
        super().__init__(stats)

    def reset(self) -> None:
        """Discard an incomplete event, the chip and the time."""
        super().reset()
        self.clock.reset()
        self.chip = ""

    def _read_header(self, data: bytes) -> int | None:
        length = find_body(data, b"#", END_LINES, self.at_end)
        for line in header_lines(data[: length or 0]):
            if line.startswith("# AEChip:"):
                self.chip = line.partition(":")[2].strip().rpartition(".")[2]
        return length

    def _start_body(self, data: bytes) -> None:
        if not self.chip:
            addresses = np.frombuffer(data, ">u4", len(data) // RECORD_BYTES * 2)[::2]
            if (addresses >> 16).any():
                raise DataError(
                    "names no chip, but its addresses are not those of a DVS128; needs a header "
                    "line such as '# AEChip: DAVIS346'"
                )
        davis = re.match(r"davis(\d+)", self.chip, re.IGNORECASE)
        if re.fullmatch(r"(dvs128(_.*)?)?", self.chip, re.IGNORECASE):
            self.is_davis, self.size = False, (128, 128)
        elif davis and int(davis[1]) in DAVIS_SIZES:
            self.is_davis, self.size = True, DAVIS_SIZES[int(davis[1])]
        else:
            raise DataError(f"is of {shorten(self.chip)}; known are {KNOWN_CHIPS}")

    def _decode_body(self, data: bytes) -> Iterator[EventChunk]:
        words = self._take_records(data, RECORD_BYTES).view(">u4").astype(np.int64)
        address, t = words.reshape(-1, 2).T
        special = DAVIS_IS_SPECIAL if self.is_davis else DVS128_IS_SPECIAL
        is_event = address & special == 0
        if not self.chip:
            strays = address >> 16 != 0
            self.stats.malformed += int(np.count_nonzero(strays))
            is_event &= ~strays
        address, t = address[is_event], self.clock.unwrap(t[is_event])
        if len(t):
            yield self._to_events(address, t)

    def _to_events(self, address: NDArray[np.int64], t: NDArray[np.int64]) -> EventChunk:
        assert self.size is not None
        if self.is_davis:
            x, y, polarity = address >> 12 & 0x3FF, address >> 22 & 0x1FF, address >> 11 & 1
        else:
            x, y, polarity = address >> 1 & 0x7F, address >> 8 & 0x7F, 1 - (address & 1)
        return EventChunk(self.size[0] - 1 - x, self.size[1] - 1 - y, polarity, t)
