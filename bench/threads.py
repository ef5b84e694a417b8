"""Scaling from one thread to two: `python -m bench.threads`, eight minutes, after `make peers`.

The networks of `bench.engines` at 5 % activity run batch after batch on one thread, on two threads,
and as two concurrent single-threaded runs, in random order and for several batch sizes. The table
gives medians; the gain of two concurrent runs bounds what two threads can reach, which is less than
two where processors share a core or carry other load. SEW-ResNet-18 at 128 x 128 pixels runs one
sample at a time, which both threads share.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from bench import shapes
from bench.nets import NETS, calibrate_rates, random_events
from bench.results import Cell, Table, add_json_option, print_table, write_result
from pumice.runtime import Network
from pumice.runtime.engines import cpu
from pumice.runtime.engines.cpu.threads import parallel_for

RATE, TURN_SECONDS, MIN_RUNS = 0.05, 0.15, 2  # seconds of a turn, and its runs
BATCHES = {
    "conv 34x34": (64, 256, 1024),
    "pilotnet": (8, 32, 128),
    "sew-resnet18 32x32": (8, 32, 128),
    "recurrent 2000": (32, 128, 512),
}


def measure_scaling(network: Network, batch: int, turns: int) -> tuple[float, float, float]:
    """Measure the seconds of a run on one thread, on two, and of two concurrent runs."""
    events = random_events(network, RATE, batch)

    def run(threads: int) -> None:
        cpu.run(network, events, "output", threads)

    modes = (lambda: run(1), lambda: run(2), lambda: parallel_for(lambda _: run(1), 2))
    times: tuple[list[float], ...] = tuple([] for _ in modes)
    for turn in range(turns):
        for mode in np.random.default_rng(turn).permutation(len(modes)):
            modes[mode]()
            seconds: list[float] = []
            while len(seconds) < MIN_RUNS or sum(seconds) < TURN_SECONDS:
                start = time.perf_counter()
                modes[mode]()
                seconds.append(time.perf_counter() - start)
            times[mode].append(float(np.median(seconds)))
    one, two, concurrent = (float(np.median(seconds)) for seconds in times)
    return one, two, concurrent


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=16, help="per number of threads")
    add_json_option(parser)
    arguments = parser.parse_args()
    lines: list[list[Cell]] = []
    rows = [(name, NETS[name], batch) for name, sizes in BATCHES.items() for batch in sizes]
    rows.append(("sew-resnet18 128x128", lambda: shapes.sew_resnet18(128, 64, 101), 1))
    for name, build, batch in rows:
        network = build() if batch == 1 else calibrate_rates(build(), RATE)
        one, two, concurrent = measure_scaling(network, batch, arguments.turns)
        times = (f"{1e3 * one:.1f}", f"{1e3 * two:.1f}")
        lines.append([name, batch, *times, f"{one / two:.2f}", f"{2 * one / concurrent:.2f}"])
    columns = ("network", "samples", "one thread, ms", "two, ms", "speedup",
               "speedup, concurrent runs")  # fmt: skip
    table = Table("", columns, lines)
    print_table(table)
    write_result(arguments.json, "threads", [table])


if __name__ == "__main__":
    main()
