"""Prophesee RAW recordings (`.raw`): EVT 2.0, 2.1 and 3.0."""

import re
from collections.abc import Iterator
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError
from ..chunks import EventChunk
from .clock import WrappingClock
from .decoder import HeaderDecoder, hold_last
from .evt3 import Evt3Words
from .header import find_body, header_lines, shorten

END_LINES = (b"% end",)
FORMATS = {"EVT2": "2.0", "EVT21": "2.1", "EVT3": "3.0"}
CD_OFF, CD_ON, TIME_HIGH = 0, 1, 8
WORD_TYPES = np.array([0, 1, 8, 10, 14, 15])  # EVT 2.1


class _Words(Protocol):
    """Decoder of the words of one version, which keeps the state between them."""

    word_bytes: int

    def decode(self, data: bytes) -> tuple[EventChunk, int]:
        """Return the events of complete words and the number of those without a time."""


class EvtDecoder(HeaderDecoder):
    """Words of 32 bits (EVT 2.0), 64 bits (2.1) or 16 bits (3.0), little-endian.

    The header names the version, in `% format` or `% evt`. Times that go back by less than half
    the period of the clock stay as they are, as in OpenEB's decoders. Events before the first
    time word have no time and count as malformed. Words of other types are skipped.

    Sources: https://docs.prophesee.ai/stable/data/encoding_formats/evt2.html, `evt21.html`,
    `evt3.html` and OpenEB's decoders (https://github.com/prophesee-ai/openeb).
    """

    expected: ClassVar[str] = (
        "a RAW header with '% format EVT3' or '% evt 3.0' (2.0, 2.1), then words"
    )

    def reset(self) -> None:
        """Discard an incomplete word and expect a header."""
        super().reset()
        self.words: _Words | None = None
        self.version = self.endianness = ""

    @property
    def probe_bytes(self) -> int:  # type: ignore[override]
        """Bytes of the body that show the order of the halves of EVT 2.1's words."""
        return 1 << 12 if self.version == "2.1" and not self.endianness else 0

    def _read_header(self, data: bytes) -> int | None:
        length = find_body(data, b"% ", END_LINES, self.at_end)
        if length is None:
            return None
        fields: dict[str, str] = {}
        for line in header_lines(data[:length]):
            name, _, value = line.removeprefix("%").strip().partition(" ")
            if name == "format":
                kind, *options = value.strip().split(";")
                fields["evt"] = FORMATS.get(kind.strip(), kind.strip())
                fields.update({key: value for key, _, value in (o.partition("=") for o in options)})
            elif name:
                fields.setdefault(name, value.strip())
        self.version = fields.get("evt", "")
        if self.version not in FORMATS.values():
            named = (
                f"is of EVT version {shorten(self.version)}"
                if self.version
                else "names no EVT version"
            )
            raise DataError(f"{named}; needs {self.expected}")
        sides = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", fields.get("geometry", ""))
        if not sides:
            both = f"{fields.get('width')}x{fields.get('height')}"
            sides = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", both)
        self.size = (int(sides[1]), int(sides[2])) if sides else None
        self.endianness = fields.get("endianness", "")
        return length

    def _start_body(self, data: bytes) -> None:
        if self.version == "2.1":
            self.words = Evt21Words(self.endianness == "legacy" or self._is_legacy(data))
        else:
            self.words = Evt2Words() if self.version == "2.0" else Evt3Words()

    def _is_legacy(self, data: bytes) -> bool:
        """Detect swapped halves: no header key, and word types that are known only when swapped."""
        if self.endianness:
            return False
        tops = np.frombuffer(data, np.uint8, len(data) // 8 * 8).reshape(-1, 8)[:, [7, 3]] >> 4
        known, times = np.isin(tops, WORD_TYPES).sum(axis=0), (tops == TIME_HIGH).sum(axis=0)
        return (known[1], times[1]) > (known[0], times[0])

    def _decode_body(self, data: bytes) -> Iterator[EventChunk]:
        assert self.words is not None
        complete = len(data) // self.words.word_bytes * self.words.word_bytes
        self.remainder = data[complete:]
        if complete:
            chunk, timeless = self.words.decode(data[:complete])
            self.stats.malformed += timeless
            if len(chunk.t):
                yield chunk


class _TimeHigh:
    """The high bits of the time of EVT 2.0 and 2.1: 28 bits in units of 64 us."""

    def __init__(self) -> None:
        self.clock = WrappingClock(1 << 28, 1 << 27)
        self.current = -1  # none yet

    def hold(self, kinds: NDArray[np.int64], ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the high bits in force at each word, -1 before the first; all (words,)."""
        is_new = kinds == TIME_HIGH
        values = np.zeros(len(kinds), np.int64)
        values[is_new] = self.clock.unwrap(ticks[is_new])
        held = hold_last(values, is_new, self.current)
        self.current = int(held[-1])
        return held


class Evt2Words:
    """EVT 2.0: type in bits 28-31; time high in 0-27, or time low 22-27, x 11-21, y 0-10."""

    word_bytes = 4

    def __init__(self) -> None:
        self.time_high = _TimeHigh()

    def decode(self, data: bytes) -> tuple[EventChunk, int]:
        """Return the events of complete words and the number of those without a time."""
        words = np.frombuffer(data, "<u4").astype(np.int64)
        kinds = words >> 28
        high = self.time_high.hold(kinds, words & 0xFFFFFFF)
        is_event = kinds <= CD_ON
        timeless = int(np.count_nonzero(is_event & (high < 0)))
        is_event &= high >= 0
        word, t = words[is_event], high[is_event] << 6
        x, y = word >> 11 & 0x7FF, word & 0x7FF
        return EventChunk(x, y, word >> 28, t | word >> 22 & 0x3F), timeless


class Evt21Words:
    """EVT 2.1: the layout of 2.0 in bits 32-63, where x is the first of 32 pixels in bits 0-31.

    With `is_legacy` the halves of a word are swapped.
    """

    word_bytes = 8

    def __init__(self, is_legacy: bool) -> None:
        self.time_high = _TimeHigh()
        self.is_legacy = is_legacy

    def decode(self, data: bytes) -> tuple[EventChunk, int]:
        """Return the events of complete words and the number of those without a time."""
        halves = np.frombuffer(data, "<u4").reshape(-1, 2).astype(np.int64)
        words, pixels = halves.T if self.is_legacy else halves.T[::-1]
        kinds = words >> 28
        high = self.time_high.hold(kinds, words & 0xFFFFFFF)
        is_event = kinds <= CD_ON
        masks = pixels[:, None] >> np.arange(32) & 1 == 1
        timeless = int(np.count_nonzero(masks[is_event & (high < 0)]))
        which, offset = np.nonzero(masks & (is_event & (high >= 0))[:, None])
        word, t = words[which], high[which] << 6
        x, y = (word >> 11 & 0x7FF) + offset, word & 0x7FF
        return EventChunk(x, y, word >> 28, t | word >> 22 & 0x3F), timeless
