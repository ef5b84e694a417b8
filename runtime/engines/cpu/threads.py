"""Threads that wait for the next run, because to start one takes as long as a small batch."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_idle_pools: list[ThreadPoolExecutor] = []


def parallel_for(
    work: Callable[[int], None], count: int, give_up: Callable[[], None] = lambda: None
) -> None:
    """Call `work` with each number below `count`, each on a thread, of which this is one.

    Where one of them fails or cannot start, it calls `give_up`, that others do not wait for it, and
    raises what was raised when all have ended.
    """
    if count == 1:
        work(0)
        return

    def do(number: int) -> None:
        try:
            work(number)
        except BaseException:
            give_up()
            raise

    pool = _take_pool()
    try:
        others = [pool.submit(do, number) for number in range(1, count)]
        do(0)
        for done in others:
            done.result()
    except BaseException:
        give_up()
        pool.shutdown()
        raise
    _idle_pools.append(pool)


def _take_pool() -> ThreadPoolExecutor:
    """Return a pool that nobody else uses; it starts a thread for what finds none waiting."""
    try:
        return _idle_pools.pop()
    except IndexError:
        return ThreadPoolExecutor(sys.maxsize, thread_name_prefix="pumice")


def shutdown_idle_pools() -> None:
    """End the threads that wait for a run: the child of a fork would have none of them."""
    while _idle_pools:
        _take_pool().shutdown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=shutdown_idle_pools)
