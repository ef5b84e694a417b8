"""Guarded subprocess: a Python command of which no process outlives the call or the caller."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from ...runtime.errors import EngineError

KILL_TIMEOUT_SECONDS = 10.0


def run_guarded(arguments: Sequence[str], log: Path, timeout: float) -> int:
    """Run Python with `arguments` in a process group of its own.

    When this returns or raises, every process of the group is gone. The command should call
    `die_with_parent`, so that it also ends if this process is killed.

    Args:
        arguments: Arguments of the Python interpreter.
        log: File that receives the command's output.
        timeout: Time limit in seconds.

    Returns:
        The exit status of the command.

    Raises:
        EngineError: The time limit is reached.
    """
    # Every process of the group inherits `write_end`: `read_end` is closed with the last of them.
    read_end, write_end = os.pipe()
    process = None
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(write_end,),
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        return process.wait(timeout)
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"lava: no end after {timeout:.0f} s; raise the time limit, or run fewer samples"
        ) from None
    finally:
        os.close(write_end)
        if process is not None:
            _kill_group(process, read_end)
        os.close(read_end)


def _kill_group(process: subprocess.Popen[bytes], read_end: int) -> None:
    """Kill the process group, and wait until its last process is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
    poll = select.poll()
    poll.register(read_end)
    poll.poll(KILL_TIMEOUT_SECONDS * 1000)


def die_with_parent() -> None:
    """Watch standard input from a thread, and kill the own process group when it closes.

    Only the parent holds its other end, so it closes when the parent ends, in whatever way. For
    processes that `run_guarded` started: otherwise the group has other members.
    """

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.killpg(0, signal.SIGKILL)

    if os.getpgrp() != os.getpid():
        return

    threading.Thread(target=watch, daemon=True).start()
