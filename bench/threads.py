"""Two threads against one: `python -m bench.threads`, up to eight minutes, after `make peers`.

The networks of `bench.engines` at 5 % activity, in batches of several sizes, as one who works
through a data set runs them: batch after batch on one thread for a while, on two, and two runs of
one thread each beside one another, in drawn order. Told are medians, and what came of two runs
beside one another, which is about what two threads can give: on processors that share a core, or
that others use, less than twice as much. SEW-ResNet-18 at 128 x 128 pixels runs one sample at a
time, which both threads share.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from bench import shapes
from bench.nets import NETS, calibrate_rates, random_events
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
    """Return the seconds of a run on one thread, on two, and of two runs beside one another."""
    events = random_events(network, RATE, batch)

    def run(threads: int) -> None:
        cpu.run(network, events, "output", threads)

    ways = (lambda: run(1), lambda: run(2), lambda: parallel_for(lambda _: run(1), 2))
    times: tuple[list[float], ...] = tuple([] for _ in ways)
    for turn in range(turns):
        for way in np.random.default_rng(turn).permutation(len(ways)):
            ways[way]()
            taken: list[float] = []
            while len(taken) < MIN_RUNS or sum(taken) < TURN_SECONDS:
                start = time.perf_counter()
                ways[way]()
                taken.append(time.perf_counter() - start)
            times[way].append(float(np.median(taken)))
    one, two, both = (float(np.median(taken)) for taken in times)
    return one, two, both


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=16, help="of each number of threads")
    given = parser.parse_args()
    print("| network | samples | one thread, ms | two, ms | times | two runs beside one another |")
    print("|---|---|---|---|---|---|")
    rows = [(name, NETS[name], batch) for name, sizes in BATCHES.items() for batch in sizes]
    rows.append(("sew-resnet18 128x128", lambda: shapes.sew_resnet18(128, 64, 101), 1))
    for name, made, batch in rows:
        network = made() if batch == 1 else calibrate_rates(made(), RATE)
        one, two, both = measure_scaling(network, batch, given.turns)
        told = f"{1e3 * one:.1f} | {1e3 * two:.1f} | {one / two:.2f} | {2 * one / both:.2f}"
        print(f"| {name} | {batch} | {told} |", flush=True)


if __name__ == "__main__":
    main()
