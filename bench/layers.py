"""Compare event-driven and dense kernels layer by layer: `python -m bench.layers`, two minutes.

Each layer connects an input of random events to neurons that never fire, on one thread. It runs
with event-driven kernels, with dense kernels, and with the choice of the CPU engine; the three take
turns. The table gives the median time per step, the ratio of the engine's choice to the better of
both, and synaptic operations per second with event-driven kernels, of the complete step including
the neurons.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

from bench.results import Table, add_json_option, print_table, write_result
from pumice.runtime import Conv, Dense, Network, Population, Projection
from pumice.runtime.engines import cpu
from pumice.runtime.op_counts import count_ops

RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
TIMESTEPS, BATCH, TURNS = 80, 2, 15
THRESHOLD = 131_071  # the maximum
Layer = tuple[Conv | Dense, tuple[int, ...]]


def make_layers() -> list[Layer]:
    """Layers of the networks of `bench.engines`, and wider ones."""
    random = np.random.default_rng(0)

    def weights(*shape: int) -> NDArray[np.int16]:
        return (2 * random.integers(-60, 60, shape)).astype(np.int16)

    def conv(outputs: int, inputs: int, side: int, size: int, stride: int = 1) -> Layer:
        padding = (side // 2, side // 2)
        connection = Conv(weights(outputs, inputs, side, side), (stride, stride), padding)
        return connection, (inputs, size, size)

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


def measure_layer(layer: Layer) -> list[tuple[float, NDArray[np.float64], float]]:
    """Measure a layer at each activity.

    Returns:
        For each activity: the activity, the seconds per step (turns, 3) with event-driven kernels,
        dense kernels and the engine's choice, and the synaptic operations per step.
    """
    connection, shape = layer
    target = Population("out", connection.target_shape(shape), threshold=THRESHOLD)
    populations = Population("in", shape, "input"), target
    network = Network(populations, (Projection("p", "in", "out", connection),))
    dense_from = cpu.engine.compiled_network(network).tables.column("dense_from")
    paths = 0, 1, int(dense_from[0])
    results = []
    for rate in RATES:
        random = np.random.default_rng(1).random((TIMESTEPS, BATCH, *shape))
        events = (random < rate).astype(np.uint8)
        operations = count_ops(
            network, cpu.run(network, events, threads=1)
        ).total_synaptic_operations.sum()
        times = np.zeros((TURNS, len(paths)))
        for turn in range(TURNS):
            for path in np.random.default_rng(turn).permutation(len(paths)):
                dense_from[:] = paths[path]
                cpu.run(network, events, "output", 1)  # warms the cache
                times[turn, path] = min(_time_run(network, events) for _ in range(3))
        steps = TIMESTEPS * BATCH
        results.append((rate, times / steps, float(operations) / steps))
    return results


def _time_run(network: Network, events: NDArray[np.uint8]) -> float:
    start = time.perf_counter()
    cpu.run(network, events, "output", 1)
    return time.perf_counter() - start


def main() -> None:
    """Print a table for each layer."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_json_option(parser)
    path = parser.parse_args().json
    columns = ("activity", "event-driven, µs", "dense, µs", "engine's choice, µs", "ratio to best",
               "GSOP/s")  # fmt: skip
    tables = []
    for connection, shape in make_layers():
        sizes = " x ".join(map(str, connection.weights.shape))
        rows = []
        for rate, seconds, operations in measure_layer((connection, shape)):
            medians = 1e6 * np.median(seconds, axis=0)
            cells = [f"{100 * rate:g} %", *(f"{median:.1f}" for median in medians)]
            best = seconds[:, np.argmin(medians[:2])]
            cells.append(f"{np.median(seconds[:, 2] / best):.2f}")
            cells.append(f"{operations / medians[0] / 1e3:.1f}")
            rows.append(cells)
        title = f"{type(connection).__name__} {sizes}, from {' x '.join(map(str, shape))}"
        tables.append(Table(title, columns, rows))
        print_table(tables[-1])
    write_result(path, "layers", tables)


if __name__ == "__main__":
    main()
