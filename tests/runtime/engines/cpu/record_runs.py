"""Record runs of the reference for replay_runs.c: `python record_runs.py FILE NUMBER`.

Networks and events are drawn at random, a third of them with messages of a sign or of more than 8
bits; a third each take products, events, or what they choose.
With `--tables FOLDER NUMBER`, write the tables alone, a file for each network, for fuzz_tables.c.
"""

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[3] / "common"))
from messages import message_runs
from strategies import Events, runs, stopping_runs

from pumice.runtime import Network, Trace
from pumice.runtime.engines import reference
from pumice.runtime.engines.cpu.compile import compile_network
from pumice.runtime.engines.cpu.costs import COSTS
from pumice.runtime.engines.cpu.planes import Plane, list_planes, split_values
from pumice.runtime.engines.cpu.tables import SPARSE, CoreTables, hwc_order


def arrays(network: Network, events: Events, tables: CoreTables) -> Iterator[Any]:
    """Yield what a run is given and what it has to give, for each population of the core."""
    trace = reference.run(network, events, "states")
    planes = list_planes(network)
    yield np.array([trace.timesteps, trace.batch], np.int32)
    yield from tables.arrays()
    none = np.zeros(0, np.uint8)
    kinds = [plane.population.kind for plane in planes]
    for plane, kind in zip(planes, kinds, strict=True):
        yield split_values(plane, events[plane.population.name]) if kind == "input" else none
    for plane, kind in zip(planes, kinds, strict=True):
        silent = kind in ("input", "integrator")
        yield none if silent else split_values(plane, trace.spikes[plane.population.name])
    for states in (trace.voltages, trace.currents):
        for plane, kind in zip(planes, kinds, strict=True):
            recorded = kind != "input" and plane.is_first
            yield states[plane.population.name] if recorded else none
    yield np.concatenate([count_events(plane, trace) for plane in planes], axis=1)
    yield trace.steps


def count_events(plane: Plane, trace: Trace) -> NDArray[np.int32]:
    """Count what each neuron has sent, int32 (batch, neurons), as the core does.

    It counts messages where they are sent, and of a wide input the bytes of each plane.
    """
    population = plane.population
    counts = np.zeros((trace.batch, population.neurons), np.int32)
    if population.kind == "input":
        sent = split_values(plane, trace.spikes[population.name])
        counts = (sent != 0).sum(axis=0, dtype=np.int32).reshape(counts.shape)
    elif population.kind != "integrator" and plane.is_first:
        counts = trace.counts[population.name].reshape(counts.shape)
    return counts[:, hwc_order(population.shape)]


def compile_tables(network: Network, products: int) -> CoreTables:
    """Compile `network`; `products` 0 for events, 1 for products, 2 for what it chooses."""
    tables = compile_network(network, COSTS["scalar"])
    if products < 2:
        tables.column("dense_from")[:] = (tables.column("kind") != SPARSE) * products
        tables.seal()
    return tables


def write(file: BinaryIO, recorded: Iterable[Any]) -> None:
    """Write arrays, each as a 64-bit size and its bytes."""
    for array in recorded:
        data = np.ascontiguousarray(array).tobytes()
        file.write(np.uint64(len(data)).tobytes() + data)


def for_each(number: int, work: Callable[[Network, Events, CoreTables], None]) -> None:
    """Call `work` with random networks, events for them, and their tables."""

    @settings(
        max_examples=number,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.one_of(runs(), stopping_runs(), message_runs()), st.integers(0, 2))
    def each(run: tuple[Network, Events], products: int) -> None:
        work(*run, compile_tables(run[0], products))

    each()


def record_runs(path: Path, number: int) -> None:
    """Record so many runs in one file."""
    with path.open("wb") as file:
        for_each(number, lambda *run: write(file, arrays(*run)))


def record_tables(folder: Path, number: int) -> None:
    """Write so many tables, each to its own file of `folder`."""
    names = itertools.count()

    def record(_: Network, __: Events, tables: CoreTables) -> None:
        with (folder / f"tables-{next(names):04}").open("wb") as file:
            write(file, tables.arrays())

    folder.mkdir(parents=True, exist_ok=True)
    for_each(number, record)


if __name__ == "__main__":
    if sys.argv[1] == "--tables":
        record_tables(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        record_runs(Path(sys.argv[1]), int(sys.argv[2]))
