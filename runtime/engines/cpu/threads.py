"""Thread pools that outlive a run, since starting threads takes as long as a small batch."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_idle_pools: list[ThreadPoolExecutor] = []


def parallel_for(
    work: Callable[[int], None], count: int, abort: Callable[[], None] = lambda: None
) -> None:
    """Call `work(number)` for each number below `count`, each on a thread, this one included.

    Where a call fails or a thread cannot start, `abort` is called, which must release the others
    from waiting, and the exception is raised when all have ended.
    """
    if count == 1:
        work(0)
        return

    def call(number: int) -> None:
        try:
            work(number)
        except BaseException:
            abort()
            raise

    pool = _take_pool()
    try:
        futures = [pool.submit(call, number) for number in range(1, count)]
        call(0)
        for future in futures:
            future.result()
    except BaseException:
        abort()
        pool.shutdown()
        raise
    _idle_pools.append(pool)


def _take_pool() -> ThreadPoolExecutor:
    """Take an idle pool or make one; it starts a thread for a call that finds none idle."""
    try:
        return _idle_pools.pop()
    except IndexError:
        return ThreadPoolExecutor(sys.maxsize, thread_name_prefix="pumice")


def shutdown_idle_pools() -> None:
    """End the idle threads: they would be missing in the child of a fork."""
    while _idle_pools:
        _take_pool().shutdown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=shutdown_idle_pools)
