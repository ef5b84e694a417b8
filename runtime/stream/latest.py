"""A short queue between a source that will not wait and a network that may be slower."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator

from .events import Tally
from .windows import Window


def latest(
    windows: Iterable[Window], depth: int, tally: Tally, stop: threading.Event
) -> Iterator[Window]:
    """Yield `windows`, read ahead on a thread of their own, at most `depth` of them waiting.

    When input outruns the reader the oldest whole windows are dropped and counted in `tally`, with
    their events; the next one is then `fresh`, since what it follows was never computed. An
    exception of the source is raised here. When the iteration ends `stop` is set, and the thread
    ends with the next window or when its source does.
    """
    queue = _Queue(depth, tally)
    reader = threading.Thread(target=queue.fill, args=(windows,), daemon=True, name="stream")
    reader.start()
    try:
        while (window := queue.take()) is not None:
            yield window
    finally:
        stop.set()
        queue.stop()


class _Queue:
    def __init__(self, depth: int, tally: Tally) -> None:
        self.waiting: deque[Window] = deque()
        self.depth, self.tally = depth, tally
        self.changed = threading.Condition()
        self.over = self.stopped = False
        self.broken: BaseException | None = None

    def fill(self, windows: Iterable[Window]) -> None:
        """Read `windows` until they end or nobody takes them any more."""
        try:
            for window in windows:
                with self.changed:
                    if self.stopped:
                        return
                    self._put(window)
                    self.changed.notify()
        except BaseException as error:
            self.broken = error
        finally:
            with self.changed:
                self.over = True
                self.changed.notify()

    def _put(self, window: Window) -> None:
        self.waiting.append(window)
        if len(self.waiting) > self.depth:
            lost = self.waiting.popleft()
            self.tally.dropped_windows += 1
            self.tally.dropped += lost.events
            self.waiting[0] = self.waiting[0]._replace(fresh=True)

    def take(self) -> Window | None:
        """Return the oldest window, waiting for one; `None` at the end."""
        with self.changed:
            # A wait without a limit could not be interrupted everywhere.
            while not self.waiting and not self.over:
                self.changed.wait(0.5)
            if self.waiting:
                return self.waiting.popleft()
        if self.broken is not None:
            raise self.broken
        return None

    def stop(self) -> None:
        """Let the reader end with its next window."""
        with self.changed:
            self.stopped = True
            self.waiting.clear()
