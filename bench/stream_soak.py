"""Every event is accounted for: a second process sends to `pumice stream` as fast as it can.

    python -m bench.stream_soak udp --minutes 60
    python -m bench.stream_soak tcp --minutes 60

Events that were sent = events in predictions + events that the counts at the end report as left
out, dropped (by the kernel, or with time bins) or without a prediction. Exits with 1 where one is
missing.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.results import Table, add_json_option, write_result
from pumice.runtime import Conv, Dense, Network, Population, Projection, write_network

EVENTS_PER_DATAGRAM = 256  # a divisor of a round of the clock
EVENT_BYTES = 5
TIME_BITS = 23
TCP_BYTES = EVENT_BYTES << 13
IDLE_SECONDS = 3.0
COMMAND = [sys.executable, "-c", "from pumice.cli import main; main()", "stream"]


def make_network() -> Network:
    """A small network for a sensor of 16 by 16 pixels."""
    random = np.random.default_rng(0)
    return Network(
        (
            Population("input", (2, 16, 16), kind="input"),
            Population("conv", (4, 8, 8), threshold=60, voltage_decay=800),
            Population("output", (3,), kind="integrator", voltage_decay=400),
        ),
        (
            Projection(
                "first",
                "input",
                "conv",
                Conv(2 * random.integers(-9, 19, (4, 2, 3, 3)), (2, 2), (1, 1)),
            ),
            Projection("second", "conv", "output", Dense(2 * random.integers(-40, 40, (3, 256)))),
        ),
    )


def make_events() -> bytes:
    """One round of the 23-bit clock, an event a microsecond; one in 1,000 is off the sensor."""
    random = np.random.default_rng(1)
    count = 1 << TIME_BITS
    x, y, polarity = (
        random.integers(0, 16, count),
        random.integers(0, 16, count),
        np.arange(count) & 1,
    )
    x[::1000] = 99
    t = np.arange(count)
    columns = x, y, polarity << 7 | t >> 16, t >> 8 & 0xFF, t & 0xFF
    return np.stack(columns, axis=1).astype(np.uint8).tobytes()


def connect(kind: str, port: int) -> socket.socket:
    """Connect to the stream as soon as it listens."""
    deadline = time.monotonic() + 60
    while True:
        sock = socket.socket(
            socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
        )
        try:
            sock.connect(("127.0.0.1", port))
            if kind == "udp":  # an error of the first tells that nobody listens yet
                sock.send(b"")
                time.sleep(0.1)
                sock.send(b"")
            return sock
        except OSError:
            sock.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def send(kind: str, sock: socket.socket, seconds: float) -> int:
    """Send events as fast as the socket takes them; returns their number."""
    block = memoryview(make_events())
    size = EVENTS_PER_DATAGRAM * EVENT_BYTES if kind == "udp" else TCP_BYTES
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for first in range(0, len(block), size):
            part = block[first : first + size]
            sock.sendall(part) if kind == "tcp" else sock.send(part)
            sent += len(part)
            if not first % (size << 10) and time.monotonic() > end:
                break
    return sent // EVENT_BYTES


def answered_events(stdout: Any, totals: list[int]) -> None:
    """Add up the events of the predictions as they are printed."""
    for line in stdout:
        totals[0] += json.loads(line)["events"]
        totals[1] += 1


def run(kind: str, minutes: float) -> dict[str, Any]:
    """Send to a stream for some minutes, end it, and compare the counts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.pumice"
        write_network(path, make_network())
        with socket.socket(
            socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
        ) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [*COMMAND, str(path), f"{kind}://127.0.0.1:{port}", "--steps", "10"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        totals = [0, 0]
        reader = threading.Thread(target=answered_events, args=(process.stdout, totals))
        reader.start()
        sock = connect(kind, port)
        # The sender is a process of its own, so that it does not wait for the reader of answers.
        receiver, sender = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(sender, str(send(kind, sock, 60 * minutes)).encode())
            sock.close()
            os._exit(0)
        sock.close()
        os.waitpid(child, 0)
        sent = int(os.read(receiver, 100))
        last = -1
        while totals[0] != last:  # until nothing comes any more
            last = totals[0]
            time.sleep(IDLE_SECONDS)
        peak = _peak_memory(process.pid)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        reader.join()
        assert process.stderr is not None
        return compare(sent, totals, json.loads(process.stderr.read())) | {"peak_mb": peak}


def compare(sent: int, totals: list[int], counts: dict[str, int]) -> dict[str, Any]:
    """Difference between what was sent, and what was answered and reported."""
    reported = (
        counts["off_sensor"]
        + counts["out_of_order"]
        + counts["malformed"]
        + counts["dropped_events"]
        + counts["events_without_prediction"]
        + counts["dropped_datagrams"] * EVENTS_PER_DATAGRAM
    )
    return {
        "sent": sent,
        "answered": totals[0],
        "reported": reported,
        "missing": sent - totals[0] - reported,
        "predictions": totals[1],
        "counts": counts,
    }


def _peak_memory(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("udp", "tcp"))
    parser.add_argument("--minutes", type=float, default=60)
    add_json_option(parser)
    options = parser.parse_args()
    result = run(options.kind, options.minutes)
    print(json.dumps({"kind": options.kind, "minutes": options.minutes, **result}, indent=2))
    columns = ("sent", "answered", "reported", "missing", "predictions", "peak_mb")
    heads = ("events sent", *columns[1:-1], "peak memory, MB")
    title = f"{options.kind.upper()}, {options.minutes:g} minutes"
    table = Table(title, heads, [[result[name] for name in columns]])
    write_result(options.json, "stream_soak", [table])
    return 1 if result["missing"] else 0


if __name__ == "__main__":
    sys.exit(main())
