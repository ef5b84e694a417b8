"""The compiled loops, one by one, against numpy and the arithmetic they must equal."""

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.arithmetic import lif_step
from pumice.runtime.engines import cpu
from pumice.runtime.engines.cpu import kernels
from pumice.runtime.engines.cpu.structs import State

HALF = 2**23
DECAYS = [0, 1, 2, 1023, 2048, 4095, 4096]
EDGES = [0, 1, 2, 4095, 4096, 4097, HALF - 1, HALF, HALF + 1, 2**24, 2**30, 2**30 + 2**24]


def states(size: int, top: int) -> NDArray[np.int64]:
    """Random states of either sign, with the edges of every split and limit among them."""
    edges = np.array([edge for edge in EDGES if edge <= top])
    drawn = np.random.default_rng(5).integers(-top, top, size - 2 * len(edges))
    values: NDArray[np.int64] = np.concatenate([edges, -edges, drawn])
    return values


@pytest.mark.parametrize("exponent", [0, 7])
@pytest.mark.parametrize(("kind", "bits"), [("cuba", 1), ("cuba", 3), ("integrator", 1)])
def test_neurons_follow_the_arithmetic(kind: Any, exponent: int, bits: int) -> None:
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
    u, v, sent = run_steps(population, current, voltage, activation)
    expected = lif_step(population, current, voltage, activation)
    assert np.array_equal(u, expected[0])
    assert np.array_equal(v, expected[1])
    assert np.array_equal(sent, expected[2])


@pytest.mark.parametrize(("top", "plain"), [(HALF - 1, False), (2**17 - 1, True)])
@pytest.mark.parametrize("decay", [0, 1, 4096])
def test_neurons_without_current_state_follow_the_arithmetic(
    decay: int, top: int, plain: bool
) -> None:
    """Loops of their own do without products, and others where nothing wraps.

    What a current was does not matter.
    """
    sums, voltage = (axis.reshape(-1) for axis in np.meshgrid(states(80, top), EDGES[:7]))
    population = Population("n", sums.shape, voltage_decay=decay, threshold=1000, bias=-3)
    _, v, sent = run_steps(population, sums, voltage, sums, plain)
    expected = lif_step(population, sums, voltage, sums)
    assert np.array_equal(v, expected[1])
    assert np.array_equal(sent, expected[2])


def run_steps(
    population: Population,
    current: NDArray[np.int64],
    voltage: NDArray[np.int64],
    sums: NDArray[np.int64],
    plain: bool = False,
) -> list[NDArray[Any]]:
    """Current, voltage and what is sent after a step from a current and voltage, with sums."""
    size = population.neurons
    populations = [Population("in", (1,), "input"), population]
    projections = [Projection("p", "in", "n", Dense(np.ones((size, 1), np.int16)))]
    if population.value_bits > 1:  # which must not be what answers
        populations.append(Population("out", (1,), "integrator"))
        projections.append(Projection("q", "n", "out", Dense(np.ones((1, size), np.int16))))
    network = Network(tuple(populations), tuple(projections))
    layout, state = cpu.engine.compiled_network(network), cpu.initial_state(network, 1)
    row, place = layout.populations[1], layout.populations[1]["first"]
    row["plain"] = plain
    here = slice(place, place + size)
    state.current[0, here], state.voltage[0, here] = current, voltage
    sample = State(*(array[0] for array in state))
    kernels.update(layout, row, sample, sums.astype(np.int32), 0, row["history"], 0, size)
    return [
        sample.current[here], sample.voltage[here], sample.history[row["history"] :][:size]
    ]  # fmt: skip


@pytest.mark.parametrize("features", [None, "+avx2,+avx", ""])
def test_byte_operations_are_exact_on_every_instruction_set(features: str | None) -> None:
    """Products and sums, also of bytes as large as they may be: nothing saturates or wraps."""
    if features and "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this processor has no such instructions")
    asked = {} if features is None else {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": features}
    if features is not None and platform.machine() != "x86_64":
        pytest.skip("for another kind of machine")
    script = Path(__file__).with_name("vectors.py")
    subprocess.run([sys.executable, script], env={**os.environ, **asked}, check=True, timeout=120)
