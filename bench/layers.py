"""Events against products, layer by layer: `python -m bench.layers`, one thread, two minutes.

Each layer stands alone, between an input of random events and neurons that never fire. It runs by
events alone, by products alone, and as the fast engine chooses; they take turns. Told are the
medians of a step, how much longer the choice took than the better of both, and synaptic operations
a second by events: of the whole step, neurons included, and of the kernel that adds them up, alone.
"""

import os
import time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pumice.runtime import Conv, Dense, Network, Population, Projection
from pumice.runtime.engines import cpu
from pumice.runtime.engines.cpu import kernels
from pumice.runtime.engines.cpu.structs import allocate_workspace
from pumice.runtime.op_counts import count_ops

RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
TIMESTEPS, BATCH, TURNS = 80, 2, 15
MIN_EVENTS = 30_000  # that the kernel adds up in a turn, at least
THRESHOLD = 131_071  # the highest
Layer = tuple[Conv | Dense, tuple[int, ...]]


def make_layers() -> list[Layer]:
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


@njit(nogil=True, error_model="numpy")  # type: ignore[untyped-decorator]
def scatter_steps(
    layout: Any, weights: Any, active: Any, ends: Any, sums: Any, nothing: Any, repeats: int
) -> None:
    """Add up the events of each step, and again."""
    projection = layout.projections[0]
    for _ in range(repeats):
        first = 0
        for last in ends:
            kernels.scatter(
                layout, projection, weights, nothing, 0, active, first, last, sums, 0, 0,
                projection.neurons,
            )  # fmt: skip
            first = last


def time_kernel(network: Network, events: NDArray[np.uint8]) -> float:
    """Return the seconds that the events of a step take to be added up, and nothing else."""
    layout = cpu.engine.compiled_network(network)
    sums = allocate_workspace(layout).sums
    weights = layout.weights.view(np.int8)  # they are of either sign
    steps = events.reshape(-1, *events.shape[2:])
    if steps.ndim == 4:
        steps = steps.transpose(0, 2, 3, 1)  # as the loops have them
    found = [np.flatnonzero(step).astype(np.int32) for step in steps]
    ends, active = np.cumsum([len(each) for each in found]), np.concatenate(found)
    repeats = 1 + int(MIN_EVENTS / len(active))
    times = []
    for _ in range(TURNS + 1):  # the first compiles
        start = time.perf_counter()
        scatter_steps(layout, weights, active, ends, sums, events[:0].reshape(-1), repeats)
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:])) / len(steps) / repeats


def measure_layer(layer: Layer) -> list[tuple[float, NDArray[np.float64], float, float]]:
    """Return for each activity the seconds a step (turn, way), by events, products and as chosen.

    Before them stands the activity, behind them the synaptic operations of a step and the seconds
    that to add them up takes alone.
    """
    connection, shape = layer
    target = Population("out", connection.target_shape(shape), threshold=THRESHOLD)
    populations = Population("in", shape, "input"), target
    network = Network(populations, (Projection("p", "in", "out", connection),))
    table = cpu.engine.compiled_network(network).projections
    ways = 0, 1, int(table["product"][0])
    found = []
    for rate in RATES:
        random = np.random.default_rng(1).random((TIMESTEPS, BATCH, *shape))
        events = (random < rate).astype(np.uint8)
        operations = count_ops(
            network, cpu.run(network, events, threads=1)
        ).total_synaptic_operations.sum()
        times = np.zeros((TURNS, len(ways)))
        for turn in range(TURNS):
            for way in np.random.default_rng(turn).permutation(len(ways)):
                table["product"] = ways[way]
                cpu.run(network, events, "output", 1)  # its weights are in the cache from now on
                times[turn, way] = min(_time_run(network, events) for _ in range(3))
        steps = TIMESTEPS * BATCH
        alone = time_kernel(network, events)
        found.append((rate, times / steps, float(operations) / steps, alone))
    return found


def _time_run(network: Network, events: NDArray[np.uint8]) -> float:
    start = time.perf_counter()
    cpu.run(network, events, "output", 1)
    return time.perf_counter() - start


def main() -> None:
    """Print a table for each layer."""
    for connection, shape in make_layers():
        sizes = " x ".join(map(str, connection.weights.shape))
        print(f"\n## {type(connection).__name__} {sizes}, from {' x '.join(map(str, shape))}\n")
        print(
            "| active | events, us | products, us | chosen, us | to the better | GSOP/s | kernel |"
        )
        print("|---|---|---|---|---|---|---|")
        for rate, seconds, operations, alone in measure_layer((connection, shape)):
            events, products, chosen = medians = 1e6 * np.median(seconds, axis=0)
            told = [f"{100 * rate:g} %", f"{events:.1f}", f"{products:.1f}", f"{chosen:.1f}"]
            better = seconds[:, np.argmin(medians[:2])]
            told.append(f"{np.median(seconds[:, 2] / better):.2f}")
            told += [f"{operations / events / 1e3:.1f}", f"{operations / alone / 1e9:.1f}"]
            print(f"| {' | '.join(told)} |", flush=True)


if __name__ == "__main__":
    main()
