"""Change integers of compiled tables at random, load and run them: a script for tests.

`python damage_tables.py NUMBER [SEED]`. What the core accepts has to run without touching foreign
memory; build it with sanitizers to see that.
"""

import sys
from typing import Any

import numpy as np

from pumice.runtime import Conv, Dense, Network, Population, Projection, Sparse, SumPool
from pumice.runtime.engines.cpu import _core, engine
from pumice.runtime.engines.cpu.compile import compile_network
from pumice.runtime.engines.cpu.costs import COSTS
from pumice.runtime.engines.cpu.tables import CoreTables

Random = np.random.Generator


def network() -> Network:
    """Return one with every kind of connection, delays, feedback and a residual sum."""
    rng = np.random.default_rng(0)
    conv = Conv(2 * rng.integers(-99, 99, (5, 3, 3, 3)), padding=(1, 1))
    again = Conv(2 * rng.integers(-99, 99, (5, 5, 3, 3)), padding=(1, 1))
    there = rng.random((5 * 16, 5 * 16)) < 0.1
    rows, columns = np.nonzero(there)
    sparse = Sparse(rng.integers(1, 200, rows.size), rows, columns, there.shape)
    populations = (
        Population("in", (3, 4, 4), "input", value_bits=8),
        Population("a", (5, 4, 4), threshold=900),
        Population("b", (5, 4, 4), threshold=900, current_decay=700, voltage_decay=80),
        Population("c", (5, 4, 4), threshold=900, voltage_decay=80),
        Population("pool", (5, 2, 2), threshold=1),
        Population("out", (10,), "integrator"),
    )
    projections = (
        Projection("in", "in", "a", conv, -1),
        Projection("ab", "a", "b", again),
        Projection("ac", "a", "c", again),
        Projection("bc", "b", "c", again),
        Projection("loop", "c", "b", sparse, -2, delay=2),
        Projection("pool", "c", "pool", SumPool((2, 2), (2, 2))),
        Projection("out", "pool", "out", Dense(2 * rng.integers(-99, 99, (10, 20)))),
    )
    return Network(populations, projections)


def damage(tables: CoreTables, rng: Random) -> tuple[np.ndarray[Any, Any], ...]:
    """Return the arrays with up to three integers changed, most often in the rows of fields."""
    arrays = [array.copy() for array in tables.arrays()]
    for _ in range(int(rng.integers(1, 4))):
        array = arrays[int(rng.choice([0, 1, 1, 2, 2, 2, 4, 5, 6, 7, 8]))].reshape(-1)
        if not array.size:
            continue
        place = int(rng.integers(array.size))
        old = int(array[place])
        kind = np.iinfo(array.dtype)
        new = (old ^ 1 << int(rng.integers(kind.bits - 1)), old + 1, old - 1, 0, kind.max, kind.min)
        array[place] = min(max(int(rng.choice(new)), kind.min), kind.max)
    return tuple(arrays)


def run(core: Any, tables: CoreTables, outputs: int, variant: str) -> None:
    """Run what was accepted for a few steps, with all that may be recorded."""
    populations = tables.populations
    neurons = int(tables["neurons"])
    batch, timesteps = 2, 5
    shape = timesteps * batch
    rng = np.random.default_rng(1)
    events, spikes, voltages, currents = [], [], [], []
    for row in populations:
        size = shape * int(row[2])
        is_input = row[0] == 0
        events.append(rng.integers(0, 256, size).astype(np.uint8) if is_input else None)
        spikes.append(None if is_input else np.zeros(size, np.uint8))
        voltages.append(None if is_input else np.zeros(size, np.int32))
        currents.append(None if is_input or row[0] == 2 else np.zeros(size, np.int32))
    state = (
        np.zeros((batch, neurons), np.int32),
        np.zeros((batch, neurons), np.int32),
        np.zeros((batch, int(tables["past"])), np.uint8),
        np.zeros((batch, 2), np.int64),
        np.zeros((batch, outputs), np.int64),
        np.zeros(int(tables["history"]) + 64, np.uint8),
    )
    memory = np.zeros(_core.workspace_size(core) + 64, np.uint8)
    counts, steps = np.zeros((batch, neurons), np.int32), np.zeros(batch, np.int64)
    recording = tuple(events), tuple(spikes), tuple(voltages), tuple(currents), counts, steps
    counter = np.zeros(1, np.int64)
    _core.advance(
        core, variant, state, memory, (timesteps, batch), recording, False, counter, (0, 1)
    )


def main() -> None:
    """Damage tables so many times."""
    number = int(sys.argv[1])
    rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    whole = compile_network(network(), COSTS["scalar"])
    whole.column("dense_from")[:] *= whole.column("dense_from") > 0
    accepted = 0
    for _ in range(number):
        arrays = damage(whole, rng)
        try:
            core = _core.load(arrays)
        except ValueError:
            continue
        accepted += 1
        tables = CoreTables(*arrays)
        if max(int(tables["neurons"]), int(tables["history"])) > 1 << 24:
            continue
        outputs = int(tables.populations[tables["output"]][2])
        for variant in engine.VARIANTS:
            run(core, tables, outputs, variant)
    sys.stdout.write(f"{accepted} of {number} damaged tables accepted\n")


if __name__ == "__main__":
    main()
