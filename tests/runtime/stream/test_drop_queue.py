"""The queue drops the oldest time bins, counts them, and never hangs."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from pumice.runtime.stream import StreamStats, TimeBin, drop_oldest

FRAME = np.zeros((1, 1, 1), np.uint8)


def make_bins(count: int) -> Iterator[TimeBin]:
    return (TimeBin(k, k, FRAME, False) for k in range(count))


def test_a_fast_reader_gets_all_bins_in_order() -> None:
    stats = StreamStats()
    ends = [time_bin.end for time_bin in drop_oldest(make_bins(50), 50, stats, threading.Event())]
    assert ends == list(range(50)) and stats.dropped_bins == 0


def test_the_oldest_bins_are_dropped_and_counted() -> None:
    stats, read = StreamStats(), threading.Event()

    def source() -> Iterator[TimeBin]:
        yield from make_bins(20)
        read.set()

    queue = drop_oldest(source(), 3, stats, threading.Event())
    first = next(queue)  # starts the reader, who may be anywhere by now
    assert read.wait(10)
    rest = list(queue)
    ends = [time_bin.end for time_bin in rest]
    assert ends == list(range(20))[-len(rest) :] and len(rest) in (2, 3)
    assert [time_bin.new_stream for time_bin in rest] == [first.end < 17] + [False] * (
        len(rest) - 1
    )
    assert stats.dropped_bins == 19 - len(rest)
    assert stats.dropped_events + first.events + sum(ends) == sum(range(20))


def test_an_error_of_the_source_is_raised_by_the_queue() -> None:
    def source() -> Iterator[TimeBin]:
        yield from make_bins(1)
        raise OSError("the cable")

    with pytest.raises(OSError, match="the cable"):
        list(drop_oldest(source(), 9, StreamStats(), threading.Event()))


def test_leaving_early_ends_the_thread() -> None:
    stop = threading.Event()

    def source() -> Iterator[TimeBin]:
        while not stop.wait(0.01):
            yield TimeBin(0, 0, FRAME, False)

    queue = drop_oldest(source(), 2, StreamStats(), stop)
    next(queue)
    queue.close()  # type: ignore[attr-defined]
    for thread in threading.enumerate():
        if thread.name == "stream":
            thread.join(20)
            assert not thread.is_alive()
