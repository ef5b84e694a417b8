"""One network with every kind of connection."""

import numpy as np

from pumice.runtime import Conv, Dense, Network, Population, Projection, Sparse, SumPool


def every_connection() -> Network:
    """Return a network with every kind of connection, delays, feedback and a residual sum."""
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
