"""Two threads against one: `python -m bench.threads`, two minutes, after `make peers`.

The networks of `bench.engines` at 5 % activity, in batches of several sizes, on one thread and on
two by turns; medians. Threads end with each run, and a processor that slept is slow at first, so
small batches gain less. SEW-ResNet-18 at 128 x 128 pixels runs one sample, which both share.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from bench import shapes
from bench.nets import NETS, drawn_events, settled
from pumice.runtime import Network
from pumice.runtime.engines import fast

RATE, LEAST_TURNS = 0.05, 9
BATCHES = {
    "conv 34x34": (64, 256, 1024),
    "pilotnet": (8, 32, 128),
    "sew-resnet18 32x32": (8, 32, 128),
    "recurrent 2000": (32, 128, 512),
}


def gained(network: Network, batch: int, seconds: float) -> tuple[float, float]:
    """Return the seconds of a run on one thread and on two."""
    events = drawn_events(network, RATE, batch)
    times: tuple[list[float], list[float]] = ([], [])
    fast.run(network, events, "output", 2)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < LEAST_TURNS:
        for threads, taken in enumerate(times, 1):
            start = time.perf_counter()
            fast.run(network, events, "output", threads)
            taken.append(time.perf_counter() - start)
    one, two = (float(np.median(taken)) for taken in times)
    return one, two


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0, help="for each row")
    given = parser.parse_args()
    print("| network | samples | one thread, ms | two, ms | times |\n|---|---|---|---|---|")
    rows = [(name, NETS[name], batch) for name, sizes in BATCHES.items() for batch in sizes]
    rows.append(("sew-resnet18 128x128", lambda: shapes.sew_resnet18(128, 64, 101), 1))
    for name, made, batch in rows:
        network = made() if batch == 1 else settled(made(), RATE)
        one, two = gained(network, batch, given.seconds)
        told = f"{1e3 * one:.1f} | {1e3 * two:.1f} | {one / two:.2f}"
        print(f"| {name} | {batch} | {told} |", flush=True)


if __name__ == "__main__":
    main()
