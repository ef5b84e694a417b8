"""Event recordings: coordinates, polarities and times of an event sensor's output."""

from dataclasses import dataclass

import numpy as np

from ...runtime.arrays import Integers, ValueEquality, as_readonly
from ...runtime.errors import DataError

MAX_SENSOR_SIDE = 2**16  # pixels, the range of uint16 coordinates


@dataclass(frozen=True, eq=False)
class Events(ValueEquality):
    """Events of one recording, in time order, as read-only arrays.

    Args:
        x: uint16 (events,), column from the left.
        y: uint16 (events,), row from the top.
        polarity: uint8 (events,), 1 for brighter (ON), 0 for darker (OFF).
        t: int64 (events,), microseconds, non-decreasing.
        width: Width of the sensor, pixels.
        height: Height of the sensor, pixels.

    Raises:
        DataError: Lengths differ, an event is outside the sensor, a polarity is not 0 or 1, or
            times decrease.
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
            counts = ", ".join(f"{count} {name}" for name, count in lengths.items())
            raise DataError(f"events have {counts}; need arrays of one length")
        self._check_values()

    def _check_values(self) -> None:
        outside = np.flatnonzero((self.x >= self.width) | (self.y >= self.height))
        if outside.size:
            k = outside[0]
            raise DataError(
                f"event {k} is at x {self.x[k]}, y {self.y[k]}, "
                f"but the sensor is {self.width} x {self.height} (width x height)"
            )
        invalid = np.flatnonzero(self.polarity > 1)
        if invalid.size:
            k = invalid[0]
            raise DataError(f"event {k} has polarity {self.polarity[k]}, needs 0 or 1")
        backward = np.flatnonzero(self.t[1:] < self.t[:-1])
        if backward.size:
            k = backward[0] + 1
            raise DataError(
                f"event {k} is at {self.t[k]} us, before event {k - 1} at {self.t[k - 1]} us"
            )

    def __len__(self) -> int:
        return len(self.t)
