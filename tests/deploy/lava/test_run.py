"""Lava against hand-computed values, and every population against the reference engine."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from messages import message_runs
from numpy.typing import NDArray
from strategies import runs, stopping_runs
from traces import assert_same
from zoo import EVENTS, KINDS, ZOO

from pumice.deploy.lava import run
from pumice.deploy.passes.schedule import schedule
from pumice.runtime import Dense, Network, Population, Projection, SumPool, Trace
from pumice.runtime.engines import reference
from pumice.runtime.errors import EngineError

pytestmark = pytest.mark.lava

MAX_EXAMPLES = settings().max_examples // 5  # each starts Lava, which takes a second
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
def test_lava_equals_hand_computed_values(by_hand: Trace, name: str) -> None:
    values = by_hand.spikes[name] if name in by_hand.spikes else by_hand.voltages[name]
    assert values.reshape(-1).tolist() == BY_HAND[name][-1]


@pytest.fixture(scope="module")
def expected() -> Trace:
    """Trace of the zoo in the reference engine."""
    return reference.run(ZOO, EVENTS)


@pytest.fixture(scope="module")
def trace() -> Trace:
    """Trace of the zoo in Lava."""
    return run(ZOO, EVENTS)


READ_OUT = [name for name, (_, values, _) in KINDS.items() if "kind" in values]


@pytest.mark.parametrize("name", [name for name in KINDS if name not in READ_OUT])
def test_each_kind_of_population_equals_the_reference(
    expected: Trace, trace: Trace, name: str
) -> None:
    spikes = expected.spikes[name]
    assert spikes.any() and not spikes.all(), "no test: all or no spikes"
    assert np.array_equal(trace.spikes[name], spikes)


@pytest.mark.parametrize("name", READ_OUT)
def test_integrator_voltages_equal_the_reference(expected: Trace, trace: Trace, name: str) -> None:
    assert np.array_equal(trace.voltages[name], expected.voltages[name])
    assert np.unique(expected.voltages[name]).size > 100


def test_lava_trace_equals_the_reference(expected: Trace, trace: Trace) -> None:
    assert_same(trace, expected)


@settings(max_examples=MAX_EXAMPLES // 2)
@given(message_runs())
def test_sigma_delta_networks_send_the_messages_of_the_reference(
    drawn: tuple[Network, Events],
) -> None:
    network, events = drawn
    try:
        schedule(network)
    except EngineError:
        assume(False)  # a cycle that is too short for a chip
    assert_same(run(network, events, "states"), reference.run(network, events, "states"))


def test_lava_own_convolution_equals_the_reference(expected: Trace) -> None:
    assert_same(run(ZOO, EVENTS, conv="lava"), expected)


def test_currents_and_voltages_of_every_population_are_recorded() -> None:
    states = run(ZOO, EVENTS, record="states")
    assert set(states.currents) == {population.name for population in ZOO.topological_order}
    assert_same(states, reference.run(ZOO, EVENTS, record="states"))


def test_record_output_keeps_output_spikes_and_all_counts(expected: Trace) -> None:
    trace = run(ZOO, EVENTS, record="output")
    assert list(trace.spikes) == ["answer"]
    assert_same(trace, reference.run(ZOO, EVENTS, record="output"))


def test_a_depthwise_convolution_of_more_than_127_groups_runs() -> None:
    populations = Population("input", (130, 1, 2), kind="input"), Population("sums", (130, 1, 1))
    pooled = Projection("pool", "input", "sums", SumPool((1, 2), (1, 2)))
    events = np.arange(780, dtype=np.uint8).reshape(3, 1, 130, 1, 2) % 3 % 2
    network = Network(populations, (pooled,))
    assert_same(run(network, events, conv="lava"), reference.run(network, events))


@settings(max_examples=MAX_EXAMPLES)
@given(runs())
def test_random_networks_in_lava_equal_the_reference(run_inputs: tuple[Network, Events]) -> None:
    network, events = run_inputs
    assert_same(run(network, events), reference.run(network, events))


@settings(max_examples=MAX_EXAMPLES // 3)
@given(stopping_runs(), st.sampled_from(["all", "output", "states"]))
def test_early_exit_in_lava_equals_the_reference(
    run_inputs: tuple[Network, Events], record: Any
) -> None:
    network, events = run_inputs
    assert_same(run(network, events, record), reference.run(network, events, record))


def test_a_cycle_without_enough_delay_raises_before_lava_starts() -> None:
    one = Dense(np.ones((1, 1)))
    populations = (
        Population("in", (1,), kind="input"),
        Population("a", (1,)),
        Population("b", (1,)),
    )
    forth, back = Projection("forth", "a", "b", one), Projection("back", "b", "a", one, delay=1)
    with pytest.raises(EngineError, match="this cycle has 2 hops"):
        run(Network(populations, (forth, back)), np.zeros((1, 1, 1), np.uint8))
