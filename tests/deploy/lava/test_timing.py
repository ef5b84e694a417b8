"""Programs as Lava processes, one per slice, and the time of each process."""

from typing import Any

import numpy as np
import pytest
from chips import chip
from traces import assert_same

from pumice.deploy.lava import LavaTiming, measure, run
from pumice.deploy.passes.split import split_by_core
from pumice.deploy.placement.place import place
from pumice.runtime import Conv, Dense, EarlyExit, Network, Population, Projection, Trace
from pumice.runtime.engines import reference

pytestmark = pytest.mark.lava

random = np.random.default_rng(5)
KERNELS, WEIGHTS = (2 * random.integers(-9, 16, size) for size in ((3, 2, 3, 3), (7, 90)))
LEAKY: dict[str, Any] = {"current_decay": 1000, "voltage_decay": 100}
NETWORK = Network(
    (
        Population("pixels", (2, 5, 6), "input"),
        Population("hidden", (3, 5, 6), threshold=40, **LEAKY),
        Population("answer", (7,), threshold=300, **LEAKY),
    ),
    (
        Projection("in", "pixels", "hidden", Conv(KERNELS, (1, 1), (1, 1))),
        Projection("out", "hidden", "answer", Dense(WEIGHTS), 0, 1),
    ),
)
EVENTS = random.integers(0, 2, (6, 2, 2, 5, 6)).astype(np.uint8)
PROGRAM = place(NETWORK, chip(neurons=40))


@pytest.fixture(scope="module")
def measurement() -> tuple[Trace, LavaTiming]:
    """Four slices of the network on three cores, in Lava."""
    return measure(PROGRAM, EVENTS)


def test_a_program_in_lava_equals_its_network(measurement: tuple[Trace, LavaTiming]) -> None:
    expected = reference.run(NETWORK, EVENTS)
    assert expected.spikes["answer"].any() and not expected.spikes["answer"].all()
    assert_same(measurement[0], expected)


def test_each_slice_is_a_process_with_its_own_time(measurement: tuple[Trace, LavaTiming]) -> None:
    timing = measurement[1]
    split = split_by_core(PROGRAM).network
    assert len(split.topological_order) == sum(1 for _ in PROGRAM.slices()) == 4
    names = {each.process for each in timing.processes}
    assert {p.name for p in split.topological_order} | {p.name for p in split.projections} <= names
    assert all(0 < each.busy <= each.elapsed < 5 for each in timing.processes)
    assert {each.kind for each in timing.processes} >= {"LIFReset", "Sparse", "RingBuffer"}
    assert timing.probes == {} and timing.steps == 6 * 2 + 1


def test_a_program_exits_early_with_its_network() -> None:
    exits = Network(NETWORK.populations, NETWORK.projections, early_exit=EarlyExit((0,) * 6))
    program = place(exits, chip(neurons=40))
    expected = reference.run(exits, EVENTS, record="output")
    assert expected.steps is not None and (expected.steps < 6).any()
    assert_same(run(program, EVENTS, record="output"), expected)
