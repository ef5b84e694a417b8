"""Bounded queue that drops the oldest time bins when input is faster than inference."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator

from .binning import TimeBin
from .chunks import StreamStats

STOP_SECONDS = 0.5  # that the reader has to end, more than a socket's interval


def drop_oldest(
    time_bins: Iterable[TimeBin], queue_size: int, stats: StreamStats, stop: threading.Event
) -> Iterator[TimeBin]:
    """Read time bins ahead on a thread, at most `queue_size` of them, dropping the oldest.

    Dropped time bins are counted in `stats`, with their events; the next one then starts a new
    stream, since the one before it was never computed. An exception of the source is raised here.
    When the iteration ends, `stop` is set, and the thread ends with the next time bin or when its
    source does; the iteration waits half a second for it, so that its counts are final.
    """
    queue = _Queue(queue_size, stats)
    reader = threading.Thread(target=queue.fill, args=(time_bins,), daemon=True, name="stream")
    reader.start()
    try:
        while (time_bin := queue.take()) is not None:
            yield time_bin
    finally:
        stop.set()
        queue.stop()
        reader.join(STOP_SECONDS)


class _Queue:
    def __init__(self, max_size: int, stats: StreamStats) -> None:
        self.bins: deque[TimeBin] = deque()
        self.max_size, self.stats = max_size, stats
        self.condition = threading.Condition()
        self.exhausted = self.cancelled = False
        self.error: BaseException | None = None

    def fill(self, time_bins: Iterable[TimeBin]) -> None:
        """Read `time_bins` until they end or the queue is stopped."""
        try:
            for time_bin in time_bins:
                with self.condition:
                    if self.cancelled:
                        return
                    self._put(time_bin)
                    self.condition.notify()
        except BaseException as error:
            self.error = error
        finally:
            with self.condition:
                self.exhausted = True
                self.condition.notify()

    def _put(self, time_bin: TimeBin) -> None:
        self.bins.append(time_bin)
        if len(self.bins) > self.max_size:
            dropped = self.bins.popleft()
            self.stats.dropped_bins += 1
            self.stats.dropped_events += dropped.events
            self.bins[0] = self.bins[0]._replace(new_stream=True)

    def take(self) -> TimeBin | None:
        """Wait for the oldest time bin; None at the end."""
        with self.condition:
            # A wait without a timeout could not be interrupted on every platform.
            while not self.bins and not self.exhausted:
                self.condition.wait(0.5)
            if self.bins:
                return self.bins.popleft()
        if self.error is not None:
            raise self.error
        return None

    def stop(self) -> None:
        """Make the reader end with its next time bin."""
        with self.condition:
            self.cancelled = True
            self.bins.clear()
