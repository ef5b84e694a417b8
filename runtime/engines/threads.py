"""Threads that wait for the next run, because to start one takes as long as a small batch."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_idle: dict[int, list[ThreadPoolExecutor]] = {}  # by how many threads they have


def at_once(
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

    pool = _pool(count - 1)
    try:
        others = [pool.submit(do, number) for number in range(1, count)]
        do(0)
        for done in others:
            done.result()
    except BaseException:
        give_up()
        pool.shutdown()
        raise
    _idle.setdefault(count - 1, []).append(pool)


def _pool(threads: int) -> ThreadPoolExecutor:
    """Return a pool that nobody else uses, so that all it is given runs at once."""
    idle = _taken(_idle.get(threads, []))
    return idle or ThreadPoolExecutor(threads, thread_name_prefix="pumice")


def _taken(pools: list[ThreadPoolExecutor]) -> ThreadPoolExecutor | None:
    try:
        return pools.pop()
    except IndexError:
        return None


def end_idle() -> None:
    """End the threads that wait for a run: the child of a fork would have none of them."""
    for pools in tuple(_idle.values()):
        while pool := _taken(pools):
            pool.shutdown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=end_idle)
