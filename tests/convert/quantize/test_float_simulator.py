from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from float_reference import simulate
from numpy.typing import NDArray

from pumice.convert.quantize.float_network import FloatNetwork, FloatPopulation, FloatProjection
from pumice.convert.quantize.float_simulator import simulate_float_network

rng = np.random.default_rng(4)


def eighths(*shape: int) -> NDArray[np.float32]:
    """Weights whose sums are exact in float32, so that they equal those in float64."""
    return np.asarray(rng.integers(-8, 12, shape) / 8, np.float32)


def make_network() -> FloatNetwork:
    """Grouped convolution, pool, delayed recurrence, per-channel decays and a read-out."""
    conv = FloatPopulation("conv", (4, 3, 4), eighths(4), 1.0, 0.5, np.array([0.25, 0.5, 1.0, 0.0]))
    pool = FloatPopulation("pool", (4, 1, 2), np.zeros(4, np.float32), 0.5, 1.0, 1.0)
    loop = FloatPopulation("loop", (6,), eighths(6), 1.5, 1.0, 0.25)
    out = FloatPopulation("out", (3,), eighths(3), 0.0, 1.0, 0.0, spiking=False)
    projections = (
        FloatProjection("a", "in", "conv", "conv", eighths(4, 1, 3, 3), (2, 2), (1, 1), groups=2),
        FloatProjection("b", "conv", "pool", "sum_pool", eighths(1) + 1, (2, 2), kernel=(2, 2)),
        FloatProjection("c", "pool", "loop", "dense", eighths(6, 8)),
        FloatProjection("d", "loop", "loop", "dense", eighths(6, 6), delay=2),
        FloatProjection("e", "loop", "out", "dense", eighths(3, 6)),
    )
    return FloatNetwork("in", (2, 6, 8), 8, (conv, pool, loop, out), projections, "out")


NETWORK = make_network()


@pytest.mark.parametrize("max_value", [1, 7])
def test_simulator_computes_its_equations(max_value: int) -> None:
    events = rng.integers(0, max_value + 1, (6, 3, 2, 6, 8)).astype(np.uint8)
    outputs, expected = simulate_float_network(NETWORK, events), simulate(NETWORK, events)
    assert outputs.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(outputs[name], values.astype(np.float32))
    assert 0.02 < expected["loop"].mean() < 0.98


RESETS: dict[str, dict[str, Any]] = {
    "value": {"reset": "value", "reset_value": np.array([-0.5, 0.25, 0.5, 0.0])},
    "subtract": {"reset": "subtract", "reset_value": 1.0},
    "delayed": {"reset": "delayed_subtract", "reset_value": 1.25},
    "several": {"reset": "subtract", "reset_value": 1.0, "max_spikes": 3},
    "refractory": {"reset": "subtract", "reset_value": 0.5, "refractory": 2},
    "bounded": {
        "min_voltage": np.array([-0.5, -0.25, 0.0, -np.inf]),
        "bias": np.full(4, -0.5, np.float32),
    },
}


@pytest.mark.parametrize("name", RESETS)
def test_simulator_computes_other_resets(name: str) -> None:
    conv = replace(NETWORK.populations[0], **RESETS[name])
    network = replace(NETWORK, populations=(conv, *NETWORK.populations[1:]))
    events = rng.integers(0, 2, (30, 5, 2, 6, 8)).astype(np.uint8)
    outputs, expected = simulate_float_network(network, events), simulate(network, events)
    np.testing.assert_array_equal(outputs["conv"], expected["conv"])
    plain = replace(NETWORK.populations[0], bias=conv.bias)
    other = replace(NETWORK, populations=(plain, *NETWORK.populations[1:]))
    assert (expected["conv"] != simulate(other, events)["conv"]).any()
