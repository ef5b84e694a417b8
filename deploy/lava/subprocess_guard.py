"""A command that leaves nothing behind: no process, whatever happens to it or to us."""

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


def run_guarded(arguments: Sequence[str], log: Path, seconds: float) -> int:
    """Run Python with `arguments` in a process group of its own; return its exit status.

    Its output goes to `log`. When this returns or raises, every process of the group is gone. The
    command should call `die_with_parent`, so that it ends where this process is killed. Raises
    `EngineError` when `seconds` are over.
    """
    lives, life = os.pipe()  # each process of the group holds `life`: `lives` ends with the last
    process = None
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", *arguments],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=(life,),
                start_new_session=True,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise EngineError(
            f"lava: no end after {seconds:.0f} s; raise the time limit, or run fewer samples"
        ) from None
    finally:
        os.close(life)
        if process is not None:
            _kill_group(process, lives)
        os.close(lives)


def _kill_group(process: subprocess.Popen[bytes], lives: int) -> None:
    """Kill all of the group, and wait until the last has gone."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()
    if process.stdin is not None:
        process.stdin.close()
    last = select.poll()
    last.register(lives)
    last.poll(KILL_TIMEOUT_SECONDS * 1000)


def die_with_parent() -> None:
    """Watch standard input from a thread, and kill the own process group where it ends.

    Only the parent holds its other end, so it ends when the parent does, however that came. For
    what `run_guarded` started: elsewhere, the group has others in it.
    """

    def watch() -> None:
        while os.read(0, 1):
            pass
        os.killpg(0, signal.SIGKILL)

    if os.getpgrp() != os.getpid():
        return

    threading.Thread(target=watch, daemon=True).start()
