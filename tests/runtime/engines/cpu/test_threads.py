"""Threads that are kept for the next run."""

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from pumice.runtime.engines.cpu.threads import parallel_for, shutdown_idle_pools


@pytest.fixture(autouse=True)
def nothing_idle() -> None:
    shutdown_idle_pools()


def ours() -> int:
    return sum(thread.name.startswith("pumice") for thread in threading.enumerate())


def all_at_once(count: int) -> Callable[[int], None]:
    """Return work that ends when so many threads are at it."""
    together = threading.Barrier(count, timeout=60)

    def work(_: int) -> None:
        together.wait()

    return work


@pytest.mark.parametrize("count", [1, 2, 7])
def test_calls_run_in_parallel(count: int) -> None:
    together, done = threading.Barrier(count, timeout=60), []

    def work(number: int) -> None:
        together.wait()
        done.append(number)

    parallel_for(work, count)
    assert sorted(done) == list(range(count))


def test_idle_threads_are_reused_until_shutdown() -> None:
    for _ in range(20):
        parallel_for(lambda number: None, 3)
        assert 1 <= ours() <= 2
    shutdown_idle_pools()
    assert ours() == 0


def test_pools_are_reused_by_runs_of_other_sizes() -> None:
    for count in (2, 7, 3, 5):
        parallel_for(all_at_once(count), count)
    assert ours() == 6


def test_concurrent_runs_do_not_share_a_pool() -> None:
    meeting = threading.Barrier(4, timeout=60)

    def run(_: int) -> None:
        parts = threading.Barrier(3, timeout=60)

        def work(number: int) -> None:
            if number == 0:
                meeting.wait()
            parts.wait()

        for _ in range(5):
            parallel_for(work, 3)

    with ThreadPoolExecutor(4) as callers:
        assert list(callers.map(run, range(4))) == [None] * 4
    assert ours() <= 8


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_failing_thread_aborts_the_others(failing: int) -> None:
    given_up = threading.Event()

    def work(number: int) -> None:
        if number == failing:
            raise ValueError("no room")
        assert given_up.wait(60)

    with pytest.raises(ValueError, match="no room"):
        parallel_for(work, 3, given_up.set)
    assert given_up.is_set()
    assert ours() == 0
    parallel_for(lambda number: None, 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of other libraries' threads
def test_a_fork_ends_threads_first_and_its_child_starts_its_own() -> None:
    parallel_for(all_at_once(3), 3)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        before = ours()
        parallel_for(all_at_once(3), 3)
        os._exit(before)
    assert ours() == 0
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
