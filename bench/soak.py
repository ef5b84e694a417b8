"""Soak test of an endless event stream: `python -m bench.soak [--minutes 30]`.

The N-MNIST recordings of `../shared/data` (or `PUMICE_TEST_DATA`) are replayed in a loop at full
speed through the network 34x34x2 -> 16c -> 32c -> 512 -> 10. Every minute the benchmark prints the
peak memory, the number of time bins of 10 ms and their latency; at the end, the statistics of all
events. It fails if an event is missing from the statistics.
"""

import argparse
import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.nets import NETS, calibrate_rates
from bench.results import Cell, Table, add_json_option, write_result
from pumice.runtime.stream import EventChunk, Sensor, StreamStats, bin_events, classify_stream
from pumice.train.data.recordings import read_recordings

SIDE, STEPS, WINDOW = 34, 10, 10_000  # pixels, bins per prediction, bin width in microseconds


def iter_recordings(folder: Path, seconds: float, sent: list[int]) -> Iterator[EventChunk]:
    """Yield recordings until the time is over; adds the number of their events to `sent`."""
    (file,) = (folder / "nmnist900").glob("*.npz")
    recordings = [
        EventChunk(
            np.asarray(each.x, np.int64),
            np.asarray(each.y, np.int64),
            np.asarray(each.polarity, np.int64),
            np.asarray(each.t, np.int64),
            True,
        )
        for each in read_recordings(file, SIDE, SIDE).events
    ]
    end = time.monotonic() + seconds
    while True:
        for chunk in recordings:
            if time.monotonic() > end:
                return
            sent[0] += len(chunk.t)
            yield chunk


def main() -> None:
    """Stream for the given time and print statistics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    add_json_option(parser)
    arguments = parser.parse_args()
    folder = Path(os.environ.get("PUMICE_TEST_DATA", "../shared/data"))
    network = calibrate_rates(NETS["conv 34x34"](), 0.05)
    stats, sent, latencies = StreamStats(), [0], []
    rows: list[list[Cell]] = []
    last_print = time.monotonic()
    stream = bin_events(
        network,
        Sensor(SIDE, SIDE, bin_us=WINDOW),
        iter_recordings(folder, 60 * arguments.minutes, sent),
        stats,
    )
    for prediction in classify_stream(network, stream, STEPS, stats, every_step=True):
        latencies.append(prediction.milliseconds)
        if time.monotonic() > last_print + 60:
            rows.append(print_progress(stats, latencies))
            last_print, latencies = time.monotonic(), []
    rows.append(print_progress(stats, latencies))
    print(stats.as_dict())
    missing = sent[0] - stats.events - stats.off_sensor - stats.out_of_order - stats.dropped_events
    print(f"{sent[0]:,} events sent, {missing} of them missing from the statistics")
    columns = ("minute", "time bins so far", "peak memory, MB", "p50, ms", "p99, ms", "maximum, ms")
    lines = [[minute, *row] for minute, row in enumerate(rows, 1)]
    note = f"{sent[0]:,} events sent, {missing} of them missing from the statistics."
    table = Table("Latency of a time bin of 10 ms", columns, lines, note)
    write_result(arguments.json, "soak", [table])
    raise SystemExit(missing != 0)


def print_progress(stats: StreamStats, latencies: list[float]) -> list[Cell]:
    """Print and return peak memory, and the latency of the time bins of the last minute."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    p50, p99 = np.percentile(latencies, (50, 99))
    print(
        f"{peak:.0f} MB, {stats.time_bins:,} time bins; latency of the last {len(latencies):,}: "
        f"p50 {p50:.3f} ms, p99 {p99:.3f} ms, maximum {max(latencies):.1f} ms",
        flush=True,
    )
    times = (f"{p50:.3f}", f"{p99:.3f}", f"{max(latencies):.1f}")
    return [stats.time_bins, f"{peak:.0f}", *times]


if __name__ == "__main__":
    main()
