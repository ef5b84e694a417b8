"""Words of EVT 3.0, whose fields hold until they are sent again."""

import numpy as np
from numpy.typing import NDArray

from ..chunks import EventChunk
from .clock import WrappingClock
from .decoder import hold_last

ADDR_Y, ADDR_Y_OTHER, ADDR_X, BASE_X, VECT_12, VECT_8, TIME_LOW, TIME_HIGH = 0, 1, 2, 3, 4, 5, 6, 8
NO_ROW = -1


class Evt3Words:
    """EVT 3.0: a type in bits 12-15 and a field in bits 0-11 of each word.

    x in bits 0-10 and polarity in bit 11 give one event; a vector gives those of 12 or 8 pixels
    from the base x on, which it moves ahead. A new time high sets the time low to 0.
    """

    word_bytes = 2

    def __init__(self) -> None:
        self.clock = WrappingClock(1 << 12, 1 << 11)
        self.time_high, self.time_low = -1, 0  # no time yet
        self.row = NO_ROW
        self.base_x = self.base_polarity = 0

    def decode(self, data: bytes) -> tuple[EventChunk, int]:
        """Return the events of complete words and the number of those without a time."""
        words = np.frombuffer(data, "<u2").astype(np.int64)
        kinds, fields = words >> 12, words & 0xFFF
        t = self._hold_time(kinds, fields)
        rows = np.where(kinds == ADDR_Y, fields & 0x7FF, NO_ROW)
        rows = hold_last(rows, kinds <= ADDR_Y_OTHER, self.row)
        first_x, polarity = self._hold_base(kinds, fields)
        is_single = kinds == ADDR_X
        first_x = np.where(is_single, fields & 0x7FF, first_x)
        polarity = np.where(is_single, fields >> 11, polarity)
        masks = np.where(kinds == VECT_12, fields, np.where(kinds == VECT_8, fields & 0xFF, 0))
        masks[is_single] = 1
        masks[rows == NO_ROW] = 0
        self.row = int(rows[-1])
        has_events = np.flatnonzero(masks)
        pixels = masks[has_events, None] >> np.arange(12) & 1 == 1
        timeless = int(np.count_nonzero(pixels[t[has_events] < 0]))
        which, offset = np.nonzero(pixels & (t[has_events] >= 0)[:, None])
        at = has_events[which]
        return EventChunk(first_x[at] + offset, rows[at], polarity[at], t[at]), timeless

    def _hold_time(self, kinds: NDArray[np.int64], fields: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the time at each word in microseconds, negative before the first time high."""
        is_high, is_low = kinds == TIME_HIGH, kinds == TIME_LOW
        high = np.zeros(len(kinds), np.int64)
        high[is_high] = self.clock.unwrap(fields[is_high])
        high = hold_last(high, is_high, self.time_high)
        is_changed = is_high & (high != np.concatenate(([self.time_high], high[:-1])))
        low = hold_last(np.where(is_low, fields, 0), is_low | is_changed, self.time_low)
        self.time_high, self.time_low = int(high[-1]), int(low[-1])
        return high << 12 | low

    def _hold_base(
        self, kinds: NDArray[np.int64], fields: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the first x of a vector and its polarity at each word."""
        is_base = kinds == BASE_X
        widths = np.where(kinds == VECT_12, 12, np.where(kinds == VECT_8, 8, 0))
        moved = np.cumsum(widths) - widths  # by the vectors before
        base = np.where(is_base, (fields & 0x7FF) - moved, 0)
        first_x = moved + hold_last(base, is_base, self.base_x)
        polarity = hold_last(fields >> 11, is_base, self.base_polarity)
        self.base_x = int(first_x[-1] + widths[-1])
        self.base_polarity = int(polarity[-1])
        return first_x, polarity
