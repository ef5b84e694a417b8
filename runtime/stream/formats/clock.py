"""Clocks of few bits, continued where they wrap around."""

import numpy as np
from numpy.typing import NDArray


class WrappingClock:
    """A clock that starts again after `period` ticks.

    A step back by `max_backward` ticks or more is one wrap; a smaller one is an event out of order
    and stays so. After a wrap, a step ahead that leaves less than `max_backward` ticks of the
    period is such an event from before it; before the first wrap it is a pause.
    """

    def __init__(self, period: int, max_backward: int) -> None:
        self.period, self.max_backward = period, max_backward
        self.reset()

    def reset(self) -> None:
        """Start with the next time."""
        self.last: int | None = None
        self.wraps = 0

    def unwrap(self, ticks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the continued times of `ticks`, int64 (events,)."""
        if not len(ticks):
            return ticks
        steps = np.diff(ticks, prepend=ticks[0] if self.last is None else self.last)
        turns = (steps <= -self.max_backward).astype(np.int64)
        turns -= steps > self.period - self.max_backward
        wraps = self.wraps + np.cumsum(turns)
        wraps -= np.minimum(np.minimum.accumulate(wraps), 0)  # never below 0
        self.last, self.wraps = int(ticks[-1]), int(wraps[-1])
        continued: NDArray[np.int64] = ticks + self.period * wraps
        return continued
