"""A short queue between a source that will not wait and a network that may be slower."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator

from .chunks import StreamStats
from .windows import TimeBin


def drop_oldest(
    time_bins: Iterable[TimeBin], queue_size: int, stats: StreamStats, stop: threading.Event
) -> Iterator[TimeBin]:
    """Yield `windows`, read ahead on a thread of their own, at most `depth` of them waiting.

    When input outruns the reader the oldest whole windows are dropped and counted in `tally`, with
    their events; the next one is then `fresh`, since what it follows was never computed. An
    exception of the source is raised here. When the iteration ends `stop` is set, and the thread
    ends with the next window or when its source does.
    """
    queue = _Queue(queue_size, stats)
    reader = threading.Thread(target=queue.fill, args=(time_bins,), daemon=True, name="stream")
    reader.start()
    try:
        while (window := queue.take()) is not None:
            yield window
    finally:
        stop.set()
        queue.stop()


class _Queue:
    def __init__(self, depth: int, tally: StreamStats) -> None:
        self.bins: deque[TimeBin] = deque()
        self.max_size, self.stats = depth, tally
        self.condition = threading.Condition()
        self.exhausted = self.cancelled = False
        self.error: BaseException | None = None

    def fill(self, windows: Iterable[TimeBin]) -> None:
        """Read `windows` until they end or nobody takes them any more."""
        try:
            for window in windows:
                with self.condition:
                    if self.cancelled:
                        return
                    self._put(window)
                    self.condition.notify()
        except BaseException as error:
            self.error = error
        finally:
            with self.condition:
                self.exhausted = True
                self.condition.notify()

    def _put(self, window: TimeBin) -> None:
        self.bins.append(window)
        if len(self.bins) > self.max_size:
            lost = self.bins.popleft()
            self.stats.dropped_bins += 1
            self.stats.dropped_events += lost.events
            self.bins[0] = self.bins[0]._replace(new_stream=True)

    def take(self) -> TimeBin | None:
        """Return the oldest window, waiting for one; `None` at the end."""
        with self.condition:
            # A wait without a limit could not be interrupted everywhere.
            while not self.bins and not self.exhausted:
                self.condition.wait(0.5)
            if self.bins:
                return self.bins.popleft()
        if self.error is not None:
            raise self.error
        return None

    def stop(self) -> None:
        """Let the reader end with its next window."""
        with self.condition:
            self.cancelled = True
            self.bins.clear()
