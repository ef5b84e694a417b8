"""Engines on a CPU against each other, on random networks and events."""

from typing import Any

import numpy as np
import pytest
from dense_path import force_dense_path
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import message_runs
from nightly import thousands
from strategies import Events, runs, stopping_runs
from traces import assert_same

from pumice.convert.formats.onnx.writer import run_onnx
from pumice.runtime import Dense, Network, Population, Projection, Sparse
from pumice.runtime.engines import cpu, reference
from pumice.runtime.engines.cpu import engine as cpu_engine
from pumice.runtime.trace import select_recorded
from pumice.runtime.verify import RunFunction


@settings(max_examples=3 * settings().max_examples)
@given(runs(), st.sampled_from(["all", "output"]), st.booleans())
def test_reference_cpu_and_onnx_are_equal(
    run: tuple[Network, Events], record: Any, products: bool
) -> None:
    """300 networks; with `--hypothesis-profile=nightly` 10,200. `products` forces those."""
    network, events = run
    if products:
        force_dense_path(network)
    expected = reference.run(network, events, record)
    assert_same(cpu.run(network, events, record), expected)
    assert_same(run_onnx(network, events, record), expected)


@pytest.mark.slow
@thousands(10_000)
@given(st.one_of(runs(), stopping_runs(), message_runs()))
def test_ten_thousand_networks_in_every_variant(run: tuple[Network, Events]) -> None:
    network, events = run
    expected = reference.run(network, events, "states")
    for variant in cpu_engine.VARIANTS:
        assert_same(cpu_engine.run(network, events, "states", variant=variant), expected)
    assert_same(run_onnx(network, events, "states"), expected)


@given(stopping_runs(), st.sampled_from(["all", "output"]))
def test_all_engines_exit_at_the_same_timestep_with_the_same_logits(
    run: tuple[Network, Events], record: Any
) -> None:
    network, events = run
    expected = reference.run(network, events, record)
    assert_same(cpu.run(network, events, record), expected)
    assert_same(run_onnx(network, events, record), expected)


@given(message_runs(), st.sampled_from(["all", "output", "states"]))
def test_engines_send_the_messages_of_the_reference(
    run: tuple[Network, Events], record: Any
) -> None:
    """100 sigma-delta networks; with `--hypothesis-profile=nightly` 3,400."""
    network, events = run
    expected = reference.run(network, events, record)
    assert_same(cpu.run(network, events, record), expected)
    assert_same(run_onnx(network, events, record), expected)


@given(st.one_of(runs(), stopping_runs()))
def test_engines_record_the_states_of_the_reference(run: tuple[Network, Events]) -> None:
    network, events = run
    expected = reference.run(network, events, "states")
    assert set(expected.currents) == {p.name for p in network.topological_order}
    assert_same(cpu.run(network, events, "states"), expected)
    assert_same(run_onnx(network, events, "states"), expected)
    assert_same(select_recorded(network, expected, "all"), reference.run(network, events))


@pytest.mark.parametrize("synapses", [False, True])
def test_a_population_without_input_runs_on_its_bias(synapses: bool) -> None:
    populations = (
        Population("in", (9,), kind="input", value_bits=3),
        Population("out", (2, 1, 3), threshold=20, bias=[7, 11]),
    )
    none = Sparse(np.zeros(0), np.zeros(0), np.zeros(0), (6, 9))
    projections = (Projection("none", "in", "out", none, -1),) if synapses else ()
    network = Network(populations, projections)
    events = np.full((12, 2, 9), 5, np.uint8)
    expected = reference.run(network, events)
    assert expected.counts["out"][0].ravel().tolist() == [4, 4, 4, 6, 6, 6]
    assert_same(cpu.run(network, events), expected)
    assert_same(run_onnx(network, events), expected)


@pytest.mark.parametrize("run", [reference.run, cpu.run, run_onnx])
def test_currents_wrap_and_voltages_clip_at_their_very_limits(run: RunFunction) -> None:
    """Two sources give 2^17 and two more, which makes a current of 2^23 and 128 more."""
    signs = np.array([[1, 1, 1, -1, -1, -1]]).T
    more = np.array([[-2, 0, 2, 2, 0, -2]]).T
    limit = Population("limit", (6,), "integrator", current_decay=4096, voltage_decay=4096)
    sources = (Population("in", (8,), kind="input"), Population("one", (1,), kind="input"))
    projections = (
        Projection("coarse", "in", "limit", Dense(128 * np.repeat(signs, 8, axis=1)), 7),
        Projection("fine", "one", "limit", Dense(more)),
    )
    events = {"in": np.ones((2, 1, 8), np.uint8), "one": np.ones((2, 1, 1), np.uint8)}
    trace = run(Network((*sources, limit), projections), events)
    top, near = 2**23 - 1, 2**23 - 128
    assert trace.voltages["limit"][1, 0].tolist() == [near, top, -near, -near, top, near]


@pytest.mark.parametrize("run", [reference.run, cpu.run, run_onnx])
def test_a_neuron_fires_above_its_threshold_and_not_at_it(run: RunFunction) -> None:
    populations = (Population("in", (1,), kind="input"), Population("out", (3,), threshold=100))
    dense = Dense(np.array([[99], [100], [101]]))
    network = Network(populations, (Projection("p", "in", "out", dense),))
    trace = run(network, np.ones((1, 1, 1), np.uint8))
    assert trace.spikes["out"].ravel().tolist() == [0, 0, 1]
