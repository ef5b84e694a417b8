"""Change integers of compiled tables at random, load and run them: a script for tests.

`python damage_tables.py NUMBER [SEED]`. What the core accepts has to run without touching foreign
memory; build it with sanitizers to see that.
"""

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parents[3] / "common"))
from every_connection import every_connection

from pumice.runtime.engines.cpu import _core, engine
from pumice.runtime.engines.cpu.compile import compile_network
from pumice.runtime.engines.cpu.costs import COSTS
from pumice.runtime.engines.cpu.tables import CoreTables
from pumice.runtime.errors import EngineError

Random = np.random.Generator


def damage(tables: CoreTables, rng: Random) -> CoreTables:
    """Return tables with up to three integers changed, most often in the rows of fields, sealed."""
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
    tables = CoreTables(*arrays)
    with suppress(EngineError):  # of another format
        tables.seal()
    return tables


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
        np.zeros((batch, int(tables["states"])), np.int32),
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
    whole = compile_network(every_connection(), COSTS["scalar"])
    whole.column("dense_from")[:] *= whole.column("dense_from") > 0
    accepted = 0
    for _ in range(number):
        tables = damage(whole, rng)
        try:
            core = _core.load(tables.arrays())
        except ValueError:
            continue
        accepted += 1
        if max(int(tables["states"]), int(tables["history"])) > 1 << 24:
            continue
        outputs = int(tables.populations[tables["output"]][2])
        for variant in engine.VARIANTS:
            run(core, tables, outputs, variant)
    sys.stdout.write(f"{accepted} of {number} damaged tables accepted\n")


if __name__ == "__main__":
    main()
