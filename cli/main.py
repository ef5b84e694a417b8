"""Entry of the command `pumice`, which a signal ends without leaving files or processes behind."""

import os
import signal
import sys
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
REPEAT_SECONDS = 0.5


def main() -> None:
    """Run `pumice` with the arguments of this process and exit with the status of the verb.

    SIGTERM and SIGHUP end it as Ctrl-C does: temporary files are removed, a stream prints its
    counts, and the status is 128 plus the number of the signal. After one, SIGTERM or SIGHUP ends
    the process at once.
    """
    # Set before torch and numba load OpenMP: the idle threads of one runtime otherwise spin
    # against those of the other, which makes training on two cores up to ten times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    received = catch_signals()
    try:
        from .app import run_command  # takes a while, in which a signal may arrive

        status = run_command(sys.argv[1:])
    except BaseException:  # or what a library made of the exception of a signal
        if not received:
            raise
    finally:
        _set_timer(0.0)
    sys.exit(128 + received[0] if received else status)


def catch_signals() -> list[int]:
    """Raise `KeyboardInterrupt` or `SystemExit` at a signal; returns the list of those received.

    The exception is raised again every half second until it gets through: Python drops one that is
    raised in a destructor, and libraries catch some while they are imported. A signal that the
    parent process set to be ignored stays so. Processes that are forked from this one end at once,
    as without a handler.
    """
    received: list[int] = []
    owner = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            os._exit(128 + number)
        if number in (getattr(signal, name, None) for name in SIGNALS):
            received.append(number)
            if number != signal.SIGINT:
                signal.signal(number, signal.SIG_DFL)
            if hasattr(signal, "SIGALRM"):
                signal.signal(signal.SIGALRM, handle)
                _set_timer(REPEAT_SECONDS)
        elif _is_ending():
            return
        raise KeyboardInterrupt if received[0] == signal.SIGINT else SystemExit(128 + received[0])

    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, handle)
    return received


def _is_ending() -> bool:
    """True where the interrupted code is run by the exception of a signal: it cleans up."""
    error = sys.exc_info()[1]
    while error is not None:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            return True
        error = error.__context__
    return False


def _set_timer(seconds: float) -> None:
    """Send SIGALRM to this process every so many seconds; 0 ends that. Windows has no timers."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
