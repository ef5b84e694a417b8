"""Events against products, layer by layer: `python -m bench.layers`, one thread, two minutes.

Each layer stands alone, between an input of random events and neurons that never fire. It runs by
events alone, by products alone, and as the fast engine chooses; they take turns. Told are the
medians of a step, how much longer the choice took than the better of both, and synaptic operations
a second by events: of the whole step, and of what events add to a step without any.
"""

import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from pumice.runtime import Conv, Dense, Network, Population, Projection
from pumice.runtime.counts import counted
from pumice.runtime.engines import fast

RATES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
TIMESTEPS, BATCH, TURNS = 80, 2, 15
THRESHOLD = 131_071  # the highest
Layer = tuple[Conv | Dense, tuple[int, ...]]


def layers() -> list[Layer]:
    """Return layers of the networks that `bench.engines` runs, and wider ones."""
    random = np.random.default_rng(0)

    def weights(*shape: int) -> NDArray[np.int16]:
        return (2 * random.integers(-60, 60, shape)).astype(np.int16)

    def conv(outputs: int, inputs: int, side: int, size: int, stride: int = 1) -> Layer:
        padding = (side // 2, side // 2)
        made = Conv(weights(outputs, inputs, side, side), (stride, stride), padding)
        return made, (inputs, size, size)

    return [
        conv(16, 2, 3, 34, 2),
        conv(32, 16, 3, 17, 2),
        conv(48, 36, 5, 20, 2),
        conv(64, 64, 3, 16),
        conv(128, 128, 3, 8),
        conv(256, 256, 3, 4),
        (Dense(weights(512, 2592)), (2592,)),
        (Dense(weights(100, 1152)), (1152,)),
        (Dense(weights(10, 512)), (512,)),
    ]


def measured(layer: Layer) -> list[tuple[float, NDArray[np.float64], float]]:
    """Return for each activity the seconds a step by events, by products and as chosen.

    Before them stands the activity, behind them the synaptic operations of a step.
    """
    connection, shape = layer
    target = Population("out", connection.target_shape(shape), threshold=THRESHOLD)
    populations = Population("in", shape, "input"), target
    network = Network(populations, (Projection("p", "in", "out", connection),))
    table = fast.layout_of(network).projections
    ways = 0, 1, int(table["product"][0])
    found = []
    for rate in RATES:
        random = np.random.default_rng(1).random((TIMESTEPS, BATCH, *shape))
        events = (random < rate).astype(np.uint8)
        operations = counted(network, fast.run(network, events, threads=1)).total_operations.sum()
        times = np.zeros((TURNS, len(ways)))
        for turn in range(TURNS):
            for way in np.random.default_rng(turn).permutation(len(ways)):
                table["product"] = ways[way]
                fast.run(network, events, "output", 1)  # its weights are in the cache from now on
                start = time.perf_counter()
                fast.run(network, events, "output", 1)
                times[turn, way] = time.perf_counter() - start
        steps = TIMESTEPS * BATCH
        found.append((rate, np.median(times, axis=0) / steps, float(operations) / steps))
    return found


def main() -> None:
    """Print a table for each layer."""
    for connection, shape in layers():
        sizes = " x ".join(map(str, connection.weights.shape))
        print(f"\n## {type(connection).__name__} {sizes}, from {' x '.join(map(str, shape))}\n")
        print(
            "| active | events, us | products, us | chosen, us | to the better | GSOP/s | added |"
        )
        print("|---|---|---|---|---|---|---|")
        rows = measured((connection, shape))
        for rate, seconds, operations in rows:
            events, products, chosen = 1e6 * seconds
            told = [f"{100 * rate:g} %", f"{events:.1f}", f"{products:.1f}", f"{chosen:.1f}"]
            told.append(f"{chosen / min(events, products):.2f}")
            if rate:
                added = max(events - 1e6 * rows[0][1][0], 1e-3)
                told += [f"{operations / events / 1e3:.1f}", f"{operations / added / 1e3:.1f}"]
            print(f"| {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
