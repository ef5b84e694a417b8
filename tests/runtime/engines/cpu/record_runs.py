"""Record runs of the reference for replay_runs.c: `python record_runs.py FILE NUMBER`.

Networks and events are drawn at random; a third each take products, events, or what they choose.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[3] / "common"))
from strategies import Events, runs, stopping_runs

from pumice.runtime import Network
from pumice.runtime.engines import reference
from pumice.runtime.engines.cpu.compile import compile_network
from pumice.runtime.engines.cpu.costs import COSTS
from pumice.runtime.engines.cpu.tables import SPARSE, CoreTables, hwc_order


def arrays(network: Network, events: Events, tables: CoreTables) -> Iterator[Any]:
    """Yield what a run is given and what it has to give."""
    trace = reference.run(network, events)
    ordered = (*network.inputs, *network.topological_order)
    yield np.array([trace.timesteps, trace.batch], np.int32)
    yield from tables.arrays()
    none = np.zeros(0, np.uint8)
    for p in ordered:
        yield trace.spikes[p.name] * 0 + events[p.name] if p.kind == "input" else none
    for p in ordered:
        yield trace.spikes[p.name] if p.kind == "cuba" else none
    for p in ordered:
        yield trace.voltages[p.name] if p.kind == "integrator" else none
    counts = [
        trace.counts[p.name].reshape(trace.batch, -1)[:, hwc_order(p.shape)]
        if p.kind != "integrator"
        else np.zeros((trace.batch, p.neurons), np.int32)
        for p in ordered
    ]
    yield np.concatenate(counts, axis=1)
    yield trace.steps


def record(file: BinaryIO, network: Network, events: Events, products: int) -> None:
    """Write one run; `products` 0 for events, 1 for products, 2 for what the network chooses."""
    tables = compile_network(network, COSTS["scalar"])
    if products < 2:
        tables.column("dense_from")[:] = (tables.column("kind") != SPARSE) * products
        tables.seal()
    for array in arrays(network, events, tables):
        data = np.ascontiguousarray(array).tobytes()
        file.write(np.uint64(len(data)).tobytes() + data)


def main() -> None:
    """Record so many runs."""
    with open(sys.argv[1], "wb") as file:

        @settings(
            max_examples=int(sys.argv[2]),
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.one_of(runs(), runs(), stopping_runs()), st.integers(0, 2))
        def each(run: tuple[Network, Events], products: int) -> None:
            record(file, *run, products)

        each()


if __name__ == "__main__":
    main()
