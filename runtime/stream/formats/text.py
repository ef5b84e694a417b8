"""Events as lines of text (`.csv`, `.txt`)."""

import math
import re
from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ..chunks import EventChunk, StreamStats
from .decoder import EventDecoder
from .text_columns import Columns, detect_columns, parse_header

MAX_LINE_LENGTH = 256  # bytes; four numbers need far fewer
MAX_ABS_VALUE = 1 << 62  # of a coordinate or time, so that nothing overflows later
MAX_EXACT_FLOAT = 1 << 53
SAMPLE_LINES = 1000
SEPARATORS = bytes.maketrans(b",;\t", b"   ")
NO_EVENT = re.compile(rb"_|[,;]\s*[,;]|^\s*[,;]")  # Python takes 1_0 for a number; empty fields
COMMENTS = (b"#", b"%", b"//")
POLARITIES = {b"-1": 0, b"false": 0, b"off": 0, b"true": 1, b"on": 1}


class CsvDecoder(EventDecoder):
    """A line an event: time, x, y and polarity, separated by commas, semicolons or blanks.

    A line of names sets the order of the columns (others are skipped). Without one it is `order`,
    or with `order=None` that of "txyp", "xypt" and "xytp" that the first 1,000 lines fit. Times are
    microseconds; seconds where they have a fraction. Polarity is 1 or 0; -1 counts as 0 (OFF). A
    line that is none of this counts as malformed; comments (#, %, //), blank lines and a first line
    of width and height do not.
    """

    expected: ClassVar[str] = (
        "a line an event such as 't,x,y,polarity': times in microseconds or with a fraction in "
        "seconds, integer x and y, polarity 1 and 0 or -1"
    )

    def __init__(self, stats: StreamStats, order: str | None = "txyp") -> None:
        self.order = order
        super().__init__(stats)

    def reset(self) -> None:
        """Discard an incomplete line and expect another recording."""
        super().reset()
        self.skips_line = False  # the rest of a line that is too long
        self.columns: Columns | None = None
        self.microseconds = 0  # of a unit of time, not known yet
        self.sample: list[bytes] = []
        self.is_start, self.has_rows = True, False

    def discard(self) -> None:
        """Count an incomplete line as malformed and drop it."""
        self.remainder = self.remainder.strip()
        super().discard()
        self.skips_line = False

    def finish(self) -> Iterator[EventChunk]:
        """Yield the events of the last lines, the very last with or without its end."""
        line, self.remainder = self.remainder, b""
        yield from self._decode_lines([line], at_end=True)
        self.discard()

    def _decode_part(self, data: bytes) -> Iterator[EventChunk]:
        *lines, last = data.split(b"\n")
        if lines and self.skips_line:
            lines, self.skips_line = lines[1:], False
        if self.skips_line or len(last) > MAX_LINE_LENGTH:
            self.stats.malformed += not self.skips_line
            last, self.skips_line = b"", True
        self.remainder = last
        yield from self._decode_lines(lines, at_end=False)

    def _decode_lines(self, lines: list[bytes], at_end: bool) -> Iterator[EventChunk]:
        lines = [line.strip() for line in lines]
        rows = [line for line in lines if line and self._is_row(line)]
        if not self.microseconds:
            wanted = SAMPLE_LINES if self.order is None else 1
            self.sample += rows
            rows = []
            if len(self.sample) >= wanted or (at_end and self.sample):
                self._inspect_sample(self.sample[:wanted])
                rows, self.sample = self.sample, []
        if rows:
            chunk = self._parse_rows(rows)
            if len(chunk.t):
                yield chunk

    def _is_row(self, line: bytes) -> bool:
        """Parse a line; True if it holds an event. A header is stored, a malformed line counted."""
        start, self.is_start = self.is_start, False
        if start:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if self.columns is None and not self.has_rows:
            self.columns = parse_header(line)
            if self.columns is not None:
                return False
        if line.startswith(COMMENTS):
            return False
        if start and re.fullmatch(rb"[1-9]\d{0,4}[\s,;]+[1-9]\d{0,4}", line):
            width, height = line.translate(SEPARATORS).split()
            self.size = int(width), int(height)
            return False
        if len(line) > MAX_LINE_LENGTH or NO_EVENT.search(line):
            self.stats.malformed += 1
            return False
        self.has_rows = True
        return True

    def _inspect_sample(self, lines: list[bytes]) -> None:
        """Settle the columns and the unit of time."""
        rows = [line.translate(SEPARATORS).split() for line in lines]
        if self.columns is None:
            self.columns = detect_columns(rows, self.order)
        at = self.columns.order[0]
        times = [row[at] for row in rows if len(row) == self.columns.total]
        self.microseconds = self.columns.microseconds or (
            1_000_000 if any(map(_is_fraction, times)) else 1
        )

    def _parse_rows(self, lines: list[bytes]) -> EventChunk:
        assert self.columns is not None
        rows = [line.translate(SEPARATORS).split() for line in lines]
        order, total = self.columns.order, self.columns.total
        fields = [[row[at] for at in order] for row in rows if len(row) == total]
        self.stats.malformed += len(rows) - len(fields)
        parsed = _parse_integers(fields) if self.microseconds == 1 else None
        if parsed is None:
            parsed = _parse_floats(fields, self.microseconds)
        if parsed is None:  # line by line
            found = [event for row in fields if (event := self._parse_row(row)) is not None]
            self.stats.malformed += len(fields) - len(found)
            parsed = np.array(found, np.int64).reshape(-1, 4)
        t, x, y, polarity = parsed.T
        return EventChunk(x, y, np.where(polarity == -1, 0, polarity), t)

    def _parse_row(self, row: Sequence[bytes]) -> tuple[int, int, int, int] | None:
        """Return time, x, y and polarity of one line, None where they are no numbers."""
        time = _parse_number(row[0], self.microseconds)
        polarity = POLARITIES.get(row[3].lower())
        places = [_parse_number(field, 1) for field in row[1:3]]
        on = _parse_number(row[3], 1) if polarity is None else polarity
        if time is None or on is None or None in places:
            return None
        x, y = (int(place or 0) for place in places)
        if x != places[0] or y != places[1] or on != int(on):
            return None
        return round(time), x, y, int(on)


def _is_fraction(field: bytes) -> bool:
    """Test for a time written as a fraction: 0.003811 and 0.000, but not 1000.0 or 1e3."""
    number = _parse_number(field, 1)
    if number is None or b"." not in field:
        return False
    decimals = field.partition(b".")[2]
    return number != int(number) or (decimals.isdigit() and len(decimals) > 2)


def _parse_number(field: bytes, scale: int) -> int | float | None:
    """Return the number that `field` is, times `scale`; None where it is none or too large."""
    try:
        number: int | float = int(field)
    except ValueError:
        try:
            number = float(field)
        except ValueError:
            return None
    if not math.isfinite(number) or abs(number * scale) >= MAX_ABS_VALUE:
        return None
    return number * scale


def _parse_integers(fields: list[list[bytes]]) -> NDArray[np.int64] | None:
    """Parse rows of integers at once; None where one is no integer or too large."""
    if not fields:
        return np.zeros((0, 4), np.int64)
    try:
        parsed = np.array(fields).astype(np.int64)
    except (ValueError, OverflowError):
        return None
    is_small = (parsed > -MAX_ABS_VALUE) & (parsed < MAX_ABS_VALUE)
    return parsed if is_small.all() else None


def _parse_floats(fields: list[list[bytes]], microseconds: int) -> NDArray[np.int64] | None:
    """Parse rows of floats at once; None where one is no number, or inexact as one of 53 bits."""
    try:
        numbers = np.array(fields).reshape(-1, 4).astype(np.float64)
    except ValueError:
        return None
    with np.errstate(over="ignore"):
        numbers[:, 0] *= microseconds
    parsed = np.rint(numbers)
    is_exact = np.abs(numbers) < MAX_EXACT_FLOAT
    is_exact[:, 1:] &= parsed[:, 1:] == numbers[:, 1:]
    return parsed.astype(np.int64) if is_exact.all() else None
