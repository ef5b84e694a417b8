"""Entry of the command `pumice`, which a signal ends without leaving files or processes behind."""

import os
import signal
import sys
from types import FrameType

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


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
    sys.exit(128 + received[0] if received else status)


def catch_signals() -> list[int]:
    """Raise `KeyboardInterrupt` or `SystemExit` at a signal; returns the list of those received.

    A signal that the parent process set to be ignored stays so. Processes that are forked from
    this one end at once, as without a handler.
    """
    received: list[int] = []
    owner = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            os._exit(128 + number)
        received.append(number)
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        signal.signal(number, signal.SIG_DFL)
        raise SystemExit(128 + number)

    for name in SIGNALS:
        number = getattr(signal, name, None)
        if number and signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, handle)
    return received
