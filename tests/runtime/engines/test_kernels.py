"""The compiled loops, one by one, against numpy and the arithmetic they must equal."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime import Population
from pumice.runtime.arithmetic import decayed, step
from pumice.runtime.engines import kernels

HALF = 2**23
DECAYS = [0, 1, 2, 1023, 2048, 4095, 4096]
EDGES = [0, 1, 2, 4095, 4096, 4097, HALF - 1, HALF, HALF + 1, 2**24, 2**30, 2**30 + 2**24]


def states(size: int, top: int) -> NDArray[np.int64]:
    """Random states of either sign, with the edges of every split and limit among them."""
    edges = np.array([edge for edge in EDGES if edge <= top])
    drawn = np.random.default_rng(5).integers(-top, top, size - 2 * len(edges))
    values: NDArray[np.int64] = np.concatenate([edges, -edges, drawn])
    return values


@pytest.mark.parametrize("decay", DECAYS)
def test_a_decayed_state_is_exact_in_32_bits(decay: int) -> None:
    values = states(300, 2**30 + 2**24)
    kept = [kernels.kept(np.int32(value), np.int32(4096 - decay)) for value in values]
    assert kept == decayed(values, np.array(decay)).tolist()


@pytest.mark.parametrize("exponent", [0, 7])
@pytest.mark.parametrize(("kind", "bits"), [("cuba", 1), ("cuba", 3), ("integrator", 1)])
def test_neurons_step_as_the_arithmetic_says(kind: Any, exponent: int, bits: int) -> None:
    """Every edge of the current meets every sum that leads to an edge, at every decay."""
    sums = [0, 1, -1, 2**17 - 1, 1 - 2**17, 2**17, -(2**17), HALF - 1, 1 - HALF]
    grid = np.meshgrid(states(80, 2**30), sums, DECAYS)
    current, activation, current_decay = (axis.reshape(-1) for axis in grid)
    size = len(current)
    rng = np.random.default_rng(6)
    voltage = rng.choice(states(80, HALF - 1), size)
    population = Population(
        "n",
        (size,),
        kind,
        current_decay=current_decay,
        voltage_decay=rng.choice(DECAYS, size),
        threshold=rng.choice([0, 1, 1000, 131071], size),
        bias=rng.choice([0, 1, -1, 4095, -4096], size),
        bias_exponent=exponent,
        value_bits=bits,
    )
    expected = step(population, current, voltage, activation)
    threshold = population.threshold << 6 if kind == "cuba" else np.full(size, 2**31 - 1)
    kept = [4096 - population.current_decay, 4096 - population.voltage_decay]
    given = [current, voltage, activation, *kept, threshold, population.bias << exponent]
    largest = np.int32(population.largest_value)
    u, v, *others = (np.array(values, np.int32) for values in given)
    spikes = np.zeros(size, np.uint8)
    kernels.step_neurons(
        u, v, others[0], others[1], others[2], others[3], others[4], largest, spikes
    )
    assert np.array_equal(u, expected[0])
    assert np.array_equal(v, expected[1])
    assert np.array_equal(spikes, expected[2])


@pytest.mark.parametrize("fan_in", [1, 3, 4, 7])
@pytest.mark.parametrize("outputs", [1, 8, 17])
def test_products_of_whole_numbers_are_exact(fan_in: int, outputs: int) -> None:
    rng = np.random.default_rng(7)
    rows = np.zeros((4, fan_in + 3), np.float32)
    rows[:, :fan_in] = rng.integers(0, 256, (4, fan_in))
    matrix = rng.integers(-256, 255, (fan_in, outputs)).astype(np.int16)
    products = np.ones((4, outputs), np.float32)
    kernels.multiply_rows(rows, matrix.reshape(-1), fan_in, outputs, products)
    assert np.array_equal(products, rows[:, :fan_in].astype(int) @ matrix + 1)


@pytest.mark.parametrize("rate", [0.0, 0.05, 1.0])
def test_active_neurons_are_those_with_a_value(rate: float) -> None:
    rng = np.random.default_rng(8)
    values = (rng.integers(1, 256, 104) * (rng.random(104) < rate)).astype(np.uint8)
    found = np.zeros(105, np.int32)
    count = kernels.find_active(values, found)
    assert found[:count].tolist() == np.flatnonzero(values).tolist()
