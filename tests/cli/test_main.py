"""Signals end the command with its counts printed, and without a traceback."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-c", "from pumice.cli import main; main()"]
EVENTS = bytes([3, 3, 0, 0, 0, 2, 2, 0, 0x40, 0])  # 16 ms apart: the first time bin is closed


@contextlib.contextmanager
def started(*arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """The command with these arguments; killed if it still runs."""
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        env=os.environ,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def free_port(kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def send(source: str, port: int, process: subprocess.Popen[bytes]) -> socket.socket | None:
    """Send the events to the source as soon as it listens."""
    if source == "-":
        assert process.stdin is not None
        process.stdin.write(EVENTS)
        process.stdin.flush()
        return None
    kind = socket.SOCK_STREAM if source == "tcp" else socket.SOCK_DGRAM
    for _ in range(600):
        sock = socket.socket(socket.AF_INET, kind)
        try:
            sock.connect(("127.0.0.1", port))
            sock.send(EVENTS)
            if kind == socket.SOCK_DGRAM:  # an error of the first tells that nobody listens yet
                time.sleep(0.05)
                sock.send(b"")
            return sock
        except OSError:
            sock.close()
            time.sleep(0.1)
    raise TimeoutError("nobody listens")


@pytest.mark.parametrize("source", ["-", "tcp", "udp"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_quiet_stream_with_its_final_counts(
    network: Path, source: str, number: signal.Signals
) -> None:
    port = free_port(socket.SOCK_STREAM if source == "tcp" else socket.SOCK_DGRAM)
    address = source if source == "-" else f"{source}://127.0.0.1:{port}"
    with started("stream", network, address, "--every-step", "--bin-ms", 10) as process:
        sock = send(source, port, process)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["events"] == 1
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
        if sock is not None:
            sock.close()
    counts = json.loads(err)  # the one line, so neither a traceback nor an abort
    assert process.returncode == 128 + number
    assert counts["events"] == 2 == counts["predicted_events"] + counts["events_without_prediction"]


def wait_for_handler(process: subprocess.Popen[bytes]) -> None:
    """Wait until the process catches SIGTERM."""
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        (caught,) = (x for x in status.read_text().splitlines() if x.startswith("SigCgt"))
        if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.001)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.2, 0.6, 1.5])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_import_prints_no_traceback(
    seconds: float, number: signal.Signals, tmp_path: Path
) -> None:
    with started("train", "digits-events", "-o", tmp_path / "run") as process:
        wait_for_handler(process)
        time.sleep(seconds)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert err == b"" or re.fullmatch(rb"interrupted; to continue: pumice train .*\n", err)


def test_a_signal_that_the_parent_ignores_is_ignored(network: Path) -> None:
    wrapped = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *COMMAND, "stream", str(network), "-"]
    with subprocess.Popen(
        wrapped, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(EVENTS * 20)  # every repetition is a step back, and a new stream
        process.stdin.flush()
        time.sleep(0.5)
        process.send_signal(signal.SIGHUP)
        process.stdin.close()
        assert process.wait(60) == 0


SWALLOWED = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
from pumice.cli import app, main

class Dropped:
    def __del__(self):
        signal.raise_signal({number})  # Python drops what a destructor raises

def run_command(arguments):
    try:
        Dropped()
        print("went on", flush=True)
        time.sleep(60)
    finally:
        time.sleep(1.2)  # longer than the interval at which the exception is raised
        print("cleaned up", flush=True)

app.run_command = run_command
sys.unraisablehook = lambda _: None
main()
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_a_library_swallows_still_ends_the_command(number: signal.Signals) -> None:
    command = [sys.executable, "-c", SWALLOWED.format(number=int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert (done.returncode, done.stdout, done.stderr) == (
        128 + number,
        "went on\ncleaned up\n",
        "",
    )
