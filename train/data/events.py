"""What an event sensor sends: where, which way, and when."""

from dataclasses import dataclass

import numpy as np

from ...runtime.arrays import Integers, ValueEquality, as_readonly
from ...runtime.errors import DataError

MAX_SENSOR_SIDE = 2**16  # pixels a side that uint16 coordinates reach


@dataclass(frozen=True, eq=False)
class Events(ValueEquality):
    """One recording: event k happened at `x[k]`, `y[k]` at time `t[k]` with `polarity[k]`.

    `x` (column, from the left) and `y` (row, from the top): uint16 (events,), on a sensor of
    `width` x `height` pixels. `polarity`: uint8 (events,), 1 where it got brighter (ON) and 0
    where it got darker (OFF). `t`: int64 (events,), microseconds, never going back. All are kept
    as read-only copies. Raises `DataError` where one of this does not hold.
    """

    x: Integers
    y: Integers
    polarity: Integers
    t: Integers
    width: int
    height: int

    def __post_init__(self) -> None:
        if not (0 < self.width <= MAX_SENSOR_SIDE and 0 < self.height <= MAX_SENSOR_SIDE):
            raise DataError(f"sensor of {self.width} x {self.height} pixels, needs 1 to 65536")
        types = {"x": np.uint16, "y": np.uint16, "polarity": np.uint8, "t": np.int64}
        for name, dtype in types.items():
            array = as_readonly(getattr(self, name), dtype, name, DataError)
            if array.ndim != 1:
                raise DataError(f"{name}: shape {array.shape}, needs (events,)")
            object.__setattr__(self, name, array)
        lengths = {name: len(getattr(self, name)) for name in types}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{count} {name}" for name, count in lengths.items())
            raise DataError(f"events have {told}; need as many of each")
        self._check_values()

    def _check_values(self) -> None:
        off = np.flatnonzero((self.x >= self.width) | (self.y >= self.height))
        if off.size:
            k = off[0]
            raise DataError(
                f"event {k} is at x {self.x[k]}, y {self.y[k]}, "
                f"but the sensor is {self.width} x {self.height} (width x height)"
            )
        odd = np.flatnonzero(self.polarity > 1)
        if odd.size:
            raise DataError(f"event {odd[0]} has polarity {self.polarity[odd[0]]}, needs 0 or 1")
        back = np.flatnonzero(self.t[1:] < self.t[:-1])
        if back.size:
            k = back[0] + 1
            raise DataError(
                f"event {k} is at {self.t[k]} us, before event {k - 1} at {self.t[k - 1]} us"
            )

    def __len__(self) -> int:
        return len(self.t)
