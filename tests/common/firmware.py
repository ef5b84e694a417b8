"""Networks and tools for tests of exported firmware."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime import (
    Conv,
    Dense,
    EarlyExit,
    Network,
    Population,
    Projection,
    Sparse,
    SumPool,
)
from pumice.runtime.engines.registry import get_engine

Events = dict[str, NDArray[np.uint8]]


def skip_without_tools(name: str) -> None:
    """Skip where a tool of the engine `name` is not installed."""
    engine = get_engine("cortex-m" if name == "cortex-m7" else name)
    missing = engine.missing_packages()
    if missing:
        pytest.skip(f"needs {', '.join(missing)}; {engine.install}")


def one_neuron(**changes: Any) -> Network:
    """A neuron fed by one input through a weight of 100."""
    neuron = {"current_decay": 4096, "voltage_decay": 0, "threshold": 150, **changes}
    return Network(
        (Population("in", (1,), kind="input"), Population("out", (1,), **neuron)),
        (Projection("p", "in", "out", Dense(np.array([[100]]))),),
    )


def deep_network() -> tuple[Network, Events]:
    """Every kind of connection and neuron, graded values, delays, recurrence and an early exit."""
    rng = np.random.default_rng(5)

    def weights(*shape: int) -> NDArray[np.int64]:
        drawn: NDArray[np.int64] = rng.integers(-60, 64, shape) * 2
        return drawn

    there = rng.random((6, 40)) < 0.3
    rows, columns = np.nonzero(there)
    conv = Conv(weights(4, 1, 3, 3), (1, 2), (0, 1), (1, 1), groups=2)
    thresholds = rng.integers(200, 3000, 40)
    network = Network(
        (
            Population("first-in", (2, 6, 7), kind="input", value_bits=4),
            Population("flat", (5,), kind="input"),
            Population("conv", (4, 4, 4), value_bits=3, threshold=np.arange(4) * 40 + 100),
            Population("pool", (4, 2, 2), voltage_decay=300, threshold=20, bias=3),
            Population("hidden", (40,), current_decay=700, threshold=thresholds),
            Population("out", (6,), kind="integrator", current_decay=1000),
        ),
        (
            Projection("a", "first-in", "conv", conv),
            Projection("b", "conv", "pool", SumPool((2, 2), (2, 2), weight=3), delay=2),
            Projection("c", "pool", "hidden", Dense(weights(40, 16)), weight_exponent=1),
            Projection("d", "hidden", "hidden", Dense(weights(40, 40)), -2, delay=1),
            Projection("e", "flat", "hidden", Dense(weights(40, 5)), -3, delay=1),
            Projection("f", "hidden", "out", Sparse(weights(6, 40)[there], rows, columns, (6, 40))),
        ),
        early_exit=EarlyExit((2**31 - 1, 0, 3000, 7000, 15_000, 20_000, 70_000)),
    )
    frames = rng.integers(0, 16, (12, 6, 2, 6, 7)) * (rng.random((12, 6, 2, 6, 7)) < 0.4)
    events = {"first-in": frames, "flat": rng.random((12, 6, 5)) < 0.5}
    return network, {name: array.astype(np.uint8) for name, array in events.items()}
