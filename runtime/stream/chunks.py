"""Events as a stream brings them: pieces of any length, and a count of what was wrong with them."""

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class EventChunk(NamedTuple):
    """Some events of a stream: column `x`, row `y`, `polarity` (0 darker, 1 brighter), time `t`.

    All int64 (events,); `t` in microseconds. `fresh` where another recording begins, with a clock
    of its own. Nothing is checked before `windows` takes them.
    """

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    polarity: NDArray[np.int64]
    t: NDArray[np.int64]
    new_stream: bool = False


@dataclass
class StreamStats:
    """What became of a stream's events so far; the only thing here that changes.

    `events` were taken. Left out were `off_sensor` (outside the sensor, or no polarity), `backward`
    (earlier than one before them) and `dropped` (in `dropped_windows` whole windows, the oldest,
    when input outran the machine); what could not be read as events at all counts in `malformed`
    (lines or cut events). `jumps` counts times the clock leapt ahead and the state began anew,
    `peers` the connections that ended. `windows` were computed, `answers` given.
    """

    events: int = 0
    off_sensor: int = 0
    out_of_order: int = 0
    malformed: int = 0
    time_jumps: int = 0
    connections: int = 0
    dropped_events: int = 0
    dropped_bins: int = 0
    time_bins: int = 0
    predictions: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return all counts by name."""
        return asdict(self)
