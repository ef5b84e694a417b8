"""Lava against numbers worked by hand, and every population against the reference engine."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import runs, stopping_runs
from traces import assert_same
from zoo import EVENTS, KINDS, ZOO

from pumice.deploy.lava import run
from pumice.runtime import Dense, Network, Population, Projection, SumPool, Trace
from pumice.runtime.engines import reference
from pumice.runtime.errors import EngineError

pytestmark = pytest.mark.lava

MOST_EXAMPLES = settings().max_examples // 8  # each starts Lava, which takes a second
Events = dict[str, NDArray[np.uint8]]

# One neuron, one connection from `inputs` equal inputs. An integrator whose voltage_decay is 4096
# shows its current. Lava gave these numbers, one step later.
BY_HAND: dict[str, tuple[int, int, list[int], dict[str, Any], list[int]]] = {
    "decay": (100, 1, [1, 0, 1, 1, 0, 0], {"voltage_decay": 4096, "kind": "integrator"},
              [6400, 4800, 10000, 13900, 10425, 7818]),
    "fire": (100, 1, [1, 0, 1, 1, 0, 0], {"voltage_decay": 128, "threshold": 300},
             [0, 0, 1, 0, 1, 0]),
    "negative": (-2, 1, [1, 0, 0, 0, 0, 0], {"voltage_decay": 1024, "kind": "integrator"},
                 [-128, -192, -216, -216, -202, -181]),
    "bias": (0, 1, [0] * 6, {"voltage_decay": 2048, "bias": 40, "kind": "integrator"},
             [2560, 3840, 4480, 4800, 4960, 5040]),
    "equality": (100, 1, [1, 1, 0, 1, 0, 0],
                 {"current_decay": 4096, "voltage_decay": 4096, "threshold": 100}, [0] * 6),
    "above": (102, 1, [1, 1, 0, 1, 0, 0],
              {"current_decay": 4096, "voltage_decay": 4096, "threshold": 100}, [1, 1, 0, 1, 0, 0]),
    "wrap": (254, 520, [1] * 6, {"current_decay": 0, "voltage_decay": 4096, "kind": "integrator"},
             [-8324096, 129024, -8195072, 258048, -8066048, 387072]),
    "clip": (-255, 500, [1] * 6, {"current_decay": 4096, "voltage_decay": 0, "kind": "integrator"},
             [-8160000, *[-8388607] * 5]),
}  # fmt: skip


@pytest.fixture(scope="module")
def by_hand() -> Trace:
    """All cases as unconnected parts of one network."""
    populations, projections, events = [], [], {}
    for name, (weight, inputs, spikes, parameters, _) in BY_HAND.items():
        populations.append(Population(f"{name}_in", (inputs,), kind="input"))
        populations.append(Population(name, (1,), **{"current_decay": 1024, **parameters}))
        weights = Dense(np.full((1, inputs), weight))
        projections.append(Projection(f"{name}_p", f"{name}_in", name, weights))
        events[f"{name}_in"] = np.tile(np.array(spikes, np.uint8)[:, None, None], (1, 1, inputs))
    return run(Network(tuple(populations), tuple(projections)), events)


@pytest.mark.parametrize("name", BY_HAND)
def test_lava_gives_the_numbers_worked_by_hand(by_hand: Trace, name: str) -> None:
    found = by_hand.spikes[name] if name in by_hand.spikes else by_hand.voltages[name]
    assert found.reshape(-1).tolist() == BY_HAND[name][-1]


@pytest.fixture(scope="module")
def expected() -> Trace:
    """What the reference engine makes of the zoo."""
    return reference.run(ZOO, EVENTS)


@pytest.fixture(scope="module")
def found() -> Trace:
    """What Lava makes of the zoo."""
    return run(ZOO, EVENTS)


@pytest.mark.parametrize("name", [name for name in KINDS if name != "voltage"])
def test_each_kind_of_population_fires_as_the_reference_says(
    expected: Trace, found: Trace, name: str
) -> None:
    spikes = expected.spikes[name]
    assert spikes.any() and not spikes.all(), "says nothing"
    assert np.array_equal(found.spikes[name], spikes)


def test_an_integrator_holds_what_the_reference_says(expected: Trace, found: Trace) -> None:
    assert np.array_equal(found.voltages["voltage"], expected.voltages["voltage"])
    assert np.unique(expected.voltages["voltage"]).size > 100


def test_the_trace_of_lava_is_that_of_the_reference(expected: Trace, found: Trace) -> None:
    assert_same(found, expected)


def test_lava_own_convolution_agrees(expected: Trace) -> None:
    assert_same(run(ZOO, EVENTS, conv="lava"), expected)


def test_currents_and_voltages_of_every_population_are_recorded() -> None:
    states = run(ZOO, EVENTS, record="states")
    assert set(states.currents) == {population.name for population in ZOO.topological_order}
    assert_same(states, reference.run(ZOO, EVENTS, record="states"))


def test_the_output_alone_is_recorded_with_all_counts(expected: Trace) -> None:
    found = run(ZOO, EVENTS, record="output")
    assert list(found.spikes) == ["answer"]
    assert_same(found, reference.run(ZOO, EVENTS, record="output"))


def test_a_depthwise_convolution_of_more_groups_than_lava_counts_is_run() -> None:
    populations = Population("input", (130, 1, 2), kind="input"), Population("sums", (130, 1, 1))
    pooled = Projection("pool", "input", "sums", SumPool((1, 2), (1, 2)))
    events = np.arange(780, dtype=np.uint8).reshape(3, 1, 130, 1, 2) % 3 % 2
    network = Network(populations, (pooled,))
    assert_same(run(network, events, conv="lava"), reference.run(network, events))


@settings(max_examples=MOST_EXAMPLES)
@given(runs())
def test_any_network_in_lava_is_the_reference(drawn: tuple[Network, Events]) -> None:
    network, events = drawn
    assert_same(run(network, events), reference.run(network, events))


@settings(max_examples=MOST_EXAMPLES // 3)
@given(stopping_runs(), st.sampled_from(["all", "output", "states"]))
def test_lava_stops_where_the_reference_does(drawn: tuple[Network, Events], record: Any) -> None:
    network, events = drawn
    assert_same(run(network, events, record), reference.run(network, events, record))


def test_a_cycle_too_quick_for_a_chip_is_refused_before_lava_starts() -> None:
    one = Dense(np.ones((1, 1)))
    populations = (
        Population("in", (1,), kind="input"),
        Population("a", (1,)),
        Population("b", (1,)),
    )
    forth, back = Projection("forth", "a", "b", one), Projection("back", "b", "a", one, delay=1)
    with pytest.raises(EngineError, match="this cycle has 2 hops"):
        run(Network(populations, (forth, back)), np.zeros((1, 1, 1), np.uint8))
