"""The C core against the reference: every instruction variant, threads, streams, early exits."""

import gc
import os
import signal
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages import message_runs
from numpy.typing import NDArray
from strategies import Events, runs, stopping_runs
from traces import assert_same

from pumice.runtime import (
    Conv,
    Dense,
    Network,
    Population,
    Projection,
    Sparse,
    SumPool,
    Trace,
    plasticity,
)
from pumice.runtime.arithmetic import lif_step, neuron_step
from pumice.runtime.engines import reference
from pumice.runtime.engines.cpu import compile as cpu_compile
from pumice.runtime.engines.cpu import engine, learning, threads
from pumice.runtime.engines.cpu.tables import SPARSE
from pumice.runtime.errors import EngineError
from pumice.runtime.plasticity import PlasticityRule

HALF = 2**23
VARIANTS = pytest.mark.parametrize("variant", engine.VARIANTS)


def choose(network: Network, products: bool | None) -> None:
    """Let `network` take products wherever a source is active, or never, or as it chooses."""
    if products is not None:
        tables = engine.compiled_network(network).tables
        allowed = tables.column("kind") != SPARSE
        tables.column("dense_from")[:] = allowed * int(products)


def wide(groups: int = 2, **geometry: Any) -> Network:
    """A graded image, a convolution to 20 channels, and a read-out."""
    rng = np.random.default_rng(3)
    conv = Conv(2 * rng.integers(-128, 128, (20, 6 // groups, 3, 3)), groups=groups, **geometry)
    shape = conv.target_shape((6, 9, 8))
    populations = (
        Population("in", (6, 9, 8), kind="input", value_bits=8),
        Population("conv", shape, current_decay=900, voltage_decay=300, threshold=60000),
        Population("sum", (11,), kind="integrator", current_decay=4000),
    )
    dense = Dense(rng.integers(0, 256, (11, np.prod(shape))))
    projections = (
        Projection("a", "in", "conv", conv, -2, delay=1),
        Projection("b", "conv", "sum", dense),
    )
    return Network(populations, projections)


def images(rate: float, timesteps: int = 19) -> NDArray[np.uint8]:
    rng = np.random.default_rng(4)
    values = rng.integers(1, 256, (timesteps, 3, 6, 9, 8))
    return (values * (rng.random(values.shape) < rate)).astype(np.uint8)


def joined(first: Trace, second: Trace) -> Trace:
    return replace(
        first,
        timesteps=first.timesteps + second.timesteps,
        spikes={k: np.concatenate([v, second.spikes[k]]) for k, v in first.spikes.items()},
        counts={k: v + second.counts[k] for k, v in first.counts.items()},
        voltages={k: np.concatenate([v, second.voltages[k]]) for k, v in first.voltages.items()},
        steps=first.steps + second.steps,
    )


@settings(max_examples=3 * settings().max_examples)
@given(runs(), st.sampled_from(["all", "output"]), st.sampled_from([None, False, True]))
def test_every_variant_gives_the_reference(
    run: tuple[Network, Events], record: Any, products: bool | None
) -> None:
    """300 networks; with `--hypothesis-profile=nightly` 10,200."""
    network, events = run
    choose(network, products)
    expected = reference.run(network, events, record)
    for variant in engine.VARIANTS:
        assert_same(engine.run(network, events, record, variant=variant), expected)


@given(stopping_runs(), st.sampled_from(["all", "output"]), st.sampled_from([None, False, True]))
def test_every_variant_stops_a_sample_at_the_same_step(
    run: tuple[Network, Events], record: Any, products: bool | None
) -> None:
    network, events = run
    choose(network, products)
    expected = reference.run(network, events, record)
    for variant in engine.VARIANTS:
        assert_same(engine.run(network, events, record, variant=variant), expected)


@given(message_runs(), st.sampled_from(["all", "output", "states"]), st.booleans())
def test_every_variant_sends_the_messages_of_the_reference(
    run: tuple[Network, Events], record: Any, products: bool
) -> None:
    network, events = run
    choose(network, products or None)
    expected = reference.run(network, events, record)
    for variant in engine.VARIANTS:
        assert_same(engine.run(network, events, record, 2, variant), expected)


@VARIANTS
@pytest.mark.parametrize("rate", [0.0, 0.02, 0.6, 1.0])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (2, 3)])
@pytest.mark.parametrize("dilation", [(1, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize(("products", "groups"), [(False, 1), (False, 2), (True, 2), (True, 1)])
def test_every_activity_and_geometry_gives_the_reference(
    rate: float,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    products: bool,
    groups: int,
    variant: str,
) -> None:
    network = wide(groups, stride=stride, padding=(2, 1), dilation=dilation)
    choose(network, products)
    events = images(rate)
    assert_same(engine.run(network, events, variant=variant), reference.run(network, events))


@VARIANTS
@pytest.mark.parametrize("rate", [0.1, 1.0])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("outputs", [1, 8, 15, 16, 24, 33, 64, 90, 130, 200, 300])
def test_runs_of_every_number_of_vectors_give_the_reference(
    outputs: int, stride: int, rate: float, variant: str
) -> None:
    """Three kernel columns reach up to three times `outputs` neighbors, in 16 and in 32 bits."""
    rng = np.random.default_rng(outputs)
    for inputs, low, high in ((3, -128, 128), (70, -128, 128), (4, 64, 128)):
        weights = rng.integers(low, high, (outputs, inputs, 3, 3)) * 2
        weights = np.minimum(weights, 255) if low > 0 else weights
        conv = Conv(weights, (stride, stride), (1, 1))
        populations = (
            Population("in", (inputs, 5, 7), "input"),
            Population("out", conv.target_shape((inputs, 5, 7)), threshold=5000, voltage_decay=99),
        )
        network = Network(populations, (Projection("p", "in", "out", conv),))
        shape = (5, 1, inputs, 5, 7)
        events = (np.random.default_rng(7).random(shape) < rate).astype(np.uint8)
        expected = reference.run(network, events)
        for products in (False, True):
            choose(network, products)
            assert_same(engine.run(network, events, variant=variant), expected)


@VARIANTS
@pytest.mark.parametrize("kernel", [(3, 3), (3, 1), (1, 3), (1, 1)])
@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (3, 4)])
def test_windows_as_large_as_the_map_see_its_padding(
    padding: tuple[int, int], kernel: tuple[int, int], variant: str
) -> None:
    rng = np.random.default_rng(9)
    conv = Conv(2 * rng.integers(-128, 128, (5, 4, *kernel)), padding=padding)
    populations = (
        Population("in", (4, 3, 3), "input"),
        Population("conv", conv.target_shape((4, 3, 3)), threshold=300),
    )
    network = Network(populations, (Projection("a", "in", "conv", conv),))
    for rate in (0.3, 1.0):
        events = (rng.random((9, 2, 4, 3, 3)) < rate).astype(np.uint8)
        for products in (False, True):
            choose(network, products)
            expected = reference.run(network, events)
            assert_same(engine.run(network, events, variant=variant), expected)


def residual(delay: int, exponent: int, bits: int) -> Network:
    """Three sources that reach one population by the same connection, as in SEW's ADD."""
    rng = np.random.default_rng(2)
    conv = Conv(2 * rng.integers(-50, 50, (9, 4, 3, 3)), padding=(1, 1))
    pool = SumPool((2, 2), (2, 2), weight=-3)
    names = ("a", "b", "c")
    inputs = tuple(Population(name, (4, 6, 6), "input", value_bits=bits) for name in names)
    populations = (
        *inputs,
        Population("sum", (9, 6, 6), threshold=4000 << max(exponent, 0)),
        Population("pool", (9, 3, 3), threshold=2, bias=40),
        Population("out", (3,), "integrator"),
    )
    projections = (
        *(Projection(n, n, "sum", conv, exponent, delay * (n == "b")) for n in names),
        Projection("p", "sum", "pool", pool),
        Projection("q", "pool", "pool", SumPool((3, 3), (1, 1), (1, 1), 5), delay=2),
        Projection("o", "pool", "out", Dense(rng.integers(0, 99, (3, 81)))),
    )
    return Network(populations, projections)


@VARIANTS
@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize(("delay", "exponent"), [(0, 0), (1, 0), (3, 2), (0, -2)])
def test_projections_that_share_weights_add_up(
    delay: int, exponent: int, bits: int, variant: str
) -> None:
    network = residual(delay, exponent, bits)
    rng = np.random.default_rng(3)
    for products in (None, False, True):
        choose(network, products)
        events = {
            p.name: rng.integers(1, 1 << bits, (20, 2, *p.shape)).astype(np.uint8)
            * (rng.random((20, 2, *p.shape)) < rate)
            for p, rate in zip(network.inputs, (0.05, 0.4, 0.9), strict=True)
        }
        expected = reference.run(network, events)
        assert expected.counts["pool"].any()
        assert_same(engine.run(network, events, variant=variant), expected)


@VARIANTS
@pytest.mark.parametrize("products", [False, True])
@pytest.mark.parametrize("weight", [127, 128, -128, -129])
@pytest.mark.parametrize("inputs", [127, 128, 129, 255, 256, 257, 258, 259, 1023, 1024, 1025])
def test_sums_at_the_edge_of_16_bits_and_of_wrapping(
    inputs: int, weight: int, products: bool, variant: str
) -> None:
    """Accumulators of 16 bits hold 258 times 127; from 1024 times 128 on a current can wrap."""
    out = Population("out", (19,), threshold=100, voltage_decay=4096)
    shown = Population("shown", (19,), "integrator", voltage_decay=4096)
    weights = np.full((19, inputs), weight, np.int16)
    projections = (
        Projection("p", "in", "out", Dense(weights)),
        Projection("q", "in", "shown", Dense(weights)),
    )
    network = Network((Population("in", (inputs,), "input"), out, shown), projections)
    choose(network, products)
    events = np.ones((5, 2, inputs), np.uint8)
    assert_same(engine.run(network, events, variant=variant), reference.run(network, events))


DECAYS = [0, 1, 2, 1023, 2048, 4095, 4096]
EDGES = [0, 1, 2, 4095, 4096, 4097, HALF - 1, HALF, HALF + 1, 2**24, 2**30, 2**30 + 2**24]


def next_random(size: int, top: int) -> NDArray[np.int64]:
    """Random states of either sign, with the edges of every split and limit among them."""
    edges = np.array([edge for edge in EDGES if edge <= top])
    values = np.random.default_rng(5).integers(-top, top, size - 2 * len(edges))
    found: NDArray[np.int64] = np.concatenate([edges, -edges, values])
    return found


@VARIANTS
@pytest.mark.parametrize("exponent", [0, 7])
@pytest.mark.parametrize(("kind", "bits"), [("cuba", 1), ("cuba", 3), ("integrator", 1)])
@pytest.mark.parametrize(
    ("reach", "decays"),
    [(2**16, [4096]), (2**16, DECAYS), (2**17, [4096]), (2**18, DECAYS[3:]), (HALF - 1, [4096])],
)
def test_neurons_step_as_the_arithmetic_says(
    reach: int, decays: list[int], kind: Any, bits: int, exponent: int, variant: str
) -> None:
    """Edges of both states meet sums at the edges, in every way that neurons are updated.

    Sums come from sixteen inputs of 8 bits, by four projections of exponents 0 to 7.
    """
    rng = np.random.default_rng(6)
    size, top = 3001, (2**30 if reach > 2**18 else HALF)
    populations = [Population(f"in{e}", (16,), "input", value_bits=8) for e in (0, 2, 5, 7)]
    projections, sums = [], np.zeros(size, np.int64)
    events = {}
    for source, e in zip(populations, (0, 2, 5, 7), strict=True):
        bound = min(reach // 4, 16 * 255 * 255 << e)
        most = max(0, min(254, (bound >> e) // (16 * 255)))
        weights = 2 * rng.integers(-(most // 2), most // 2 + 1, (size, 16))
        values = rng.integers(0, 256, 16)
        sums += (weights @ values) << e
        events[source.name] = values.astype(np.uint8).reshape(1, 1, 16)
        projections.append(Projection(source.name, source.name, "n", Dense(weights), e))
    current_decay = rng.choice(decays, size)
    current = rng.choice(next_random(80, top if min(decays) < 4096 else 1000), size)
    voltage = rng.choice(next_random(80, HALF - 1), size)
    population = Population(
        "n",
        (size,),
        kind,
        current_decay=current_decay,
        voltage_decay=rng.choice(DECAYS, size) if exponent else 0,
        threshold=rng.choice([0, 1, 1000, 131071], size),
        bias=rng.choice([0, 1, -1, 4095, -4096], size),
        bias_exponent=exponent,
        value_bits=bits,
    )
    if bits > 1:
        populations.append(Population("out", (1,), "integrator"))
        projections.append(Projection("q", "n", "out", Dense(np.zeros((1, size)))))
    try:
        network = Network(
            (*populations, population), tuple(projections), "out" if bits > 1 else "n"
        )
    except Exception as error:
        assert "pile up" in str(error)
        return
    states = engine.initial_state(network, 1)
    names = [p.name for p in (*network.inputs, *network.topological_order)]
    first = sum(network.population(n).neurons for n in names[: names.index("n")])
    here = slice(first, first + size)
    states.current[0, here], states.voltage[0, here] = current, voltage
    trace = engine.run_from_state(network, states, events, variant=variant)
    shape = (1, size)
    u, v, sent = lif_step(population, *(a.reshape(shape) for a in (current, voltage, sums)))
    if (current_decay < 4096).any():
        assert np.array_equal(states.current[0, here], u[0])
    assert np.array_equal(states.voltage[0, here], v[0])
    if kind == "cuba":
        assert np.array_equal(trace.spikes["n"][0], sent)


EXTREMES = np.array([0, 1, -1, 6400, -6400, 2**23 - 1, 1 - 2**23, 2**22, -(2**22)])
RESET_TYPES: dict[str, dict[str, Any]] = {
    "value": {"reset": "value"},
    "subtract": {"reset": "subtract"},
    "delayed": {"reset": "delayed_subtract"},
    "several": {"reset": "subtract", "max_spikes": 11},
    "graded": {"reset": "subtract", "value_bits": 5},
    "refractory": {"refractory": 3},
    "refractory several": {"reset": "subtract", "max_spikes": 255, "refractory": 1},
    "bounded": {},
}


@VARIANTS
@pytest.mark.parametrize("name", RESET_TYPES)
@pytest.mark.parametrize("current_decay", [4096, 700])
def test_neuron_types_from_any_state_are_those_of_the_arithmetic(
    name: str, current_decay: int, variant: str
) -> None:
    rng, size, types = np.random.default_rng(5), 700, dict(RESET_TYPES[name])
    if types.get("reset", "zero") != "zero":
        low = -131072 if name == "value" else 1
        types["reset_value"] = np.maximum(rng.choice([-131072, 1, 100, 131071], size), low)
    population = Population(
        "n",
        (size,),
        current_decay=current_decay,
        voltage_decay=rng.choice([0, 1, 700, 4096], size),
        threshold=rng.choice([0, 1, 100, 131071], size),
        bias=rng.integers(-4096, 4096, size),
        bias_exponent=7,
        min_voltage=rng.choice([0, -1, -100, -131072], size),
        **types,
    )
    dense = Projection("p", "in", "n", Dense(rng.choice([-256, 254, 2], (size, 4)) // 2 * 2), 4)
    inputs, out = Population("in", (4,), "input"), Population("out", (1,), "integrator")
    read = Projection("q", "n", "out", Dense(np.zeros((1, size))))
    network = Network((inputs, population, out), (dense, read))
    states = engine.initial_state(network, 1)
    expected = [rng.choice(EXTREMES, (1, size)), rng.choice(EXTREMES, (1, size))]
    if current_decay == 4096:
        expected[0][:] = 0
    expected += [rng.integers(0, 3, (1, size))] * (len(population.states) - 2)
    here = slice(4, 4 + size)
    states.current[0, here], states.voltage[0, here] = expected[0][0], expected[1][0]
    if population.refractory:
        states.voltage[0, 5 + size :] = expected[2][0]
    events = (rng.random((6, 1, 4)) < 0.5).astype(np.uint8)
    for now in range(6):
        trace = engine.run_from_state(network, states, events[now : now + 1], variant=variant)
        activation = reference._activation(network, population, {"in": events}, now)
        after, sent = neuron_step(population, tuple(expected), activation)
        expected = list(after)
        assert np.array_equal(states.voltage[0, here], expected[1][0])
        assert np.array_equal(trace.spikes["n"][0], sent)
        if current_decay < 4096:
            assert np.array_equal(states.current[0, here], expected[0][0])
        if population.refractory:
            assert np.array_equal(states.voltage[0, 5 + size :], expected[2][0])
    assert sent.any()


@VARIANTS
@pytest.mark.parametrize("targets", [300, 70_000])
def test_synapses_to_many_neurons_give_the_reference(targets: int, variant: str) -> None:
    """Targets are listed in 16 bits up to 65,536 neurons, in 32 beyond."""
    rng = np.random.default_rng(8)
    rows, columns = rng.integers(0, targets, 5000), rng.integers(0, 40, 5000)
    pairs = np.unique(np.stack([rows, columns]), axis=1)
    weights: Any = 2 * rng.integers(-128, 128, pairs.shape[1])
    sparse = Sparse(weights, pairs[0], pairs[1], (targets, 40))
    populations = Population("in", (40,), "input"), Population("out", (targets,), threshold=200)
    network = Network(populations, (Projection("p", "in", "out", sparse, 1),))
    events = (rng.random((6, 2, 40)) < 0.4).astype(np.uint8)
    assert_same(engine.run(network, events, variant=variant), reference.run(network, events))


@settings(max_examples=2 * settings().max_examples)
@given(runs(), st.integers(0, 6), st.integers(1, 3))
def test_groups_of_samples_give_the_reference(
    run: tuple[Network, Events], cut: int, count: int
) -> None:
    """Synapses are followed once for a group, where its activity is high enough."""
    network, events = run
    whole = reference.run(network, events)
    cut = min(cut, whole.timesteps - 1)
    pieces = [{k: v[part] for k, v in events.items()} for part in (slice(cut), slice(cut, None))]
    with patch.object(engine, "GROUP_LEAST", 1):
        for variant in engine.VARIANTS:
            assert_same(engine.run(network, events, "all", count, variant), whole)
            states = engine.initial_state(network, whole.batch)
            traces = [
                engine.run_from_state(network, states, piece, "all", count, variant)
                for piece in pieces[cut == 0 :]
            ]
            assert_same(joined(*traces) if cut else traces[0], whole)


@VARIANTS
@pytest.mark.parametrize("rate", [0.0, 0.05, 0.5, 1.0])
def test_a_recurrent_network_runs_in_groups_as_alone(rate: float, variant: str) -> None:
    rng = np.random.default_rng(1)

    def sparse(targets: int, sources: int) -> Sparse:
        rows, columns = np.nonzero(rng.random((targets, sources)) < 0.1)
        return Sparse(2 * rng.integers(-128, 128, rows.size), rows, columns, (targets, sources))

    populations = (
        Population("in", (70,), "input"),
        Population("n", (130,), threshold=300, voltage_decay=90),
        Population("out", (5,), "integrator"),
    )
    projections = (
        Projection("p", "in", "n", sparse(130, 70)),
        Projection("q", "n", "n", sparse(130, 130), 1, delay=3),
        Projection("r", "n", "out", sparse(5, 130), delay=2),
    )
    network = Network(populations, projections)
    events = (rng.random((25, 71, 70)) < rate).astype(np.uint8)
    expected = reference.run(network, events)
    for count in (1, 2):
        assert_same(engine.run(network, events, "all", count, variant), expected)


@given(runs(), st.sampled_from(["all", "output"]))
def test_threads_never_change_results(run: tuple[Network, Events], record: Any) -> None:
    network, events = run
    alone = engine.run(network, events, record, threads=1)
    assert_same(engine.run(network, events, record, threads=3), alone)


def sharing() -> Any:
    """Let threads share even the smallest network."""
    return patch.multiple(engine, WORK=0, SHARE=1)


@given(runs(), st.sampled_from(["all", "output"]), st.sampled_from([None, False, True]))
def test_threads_that_share_a_sample_never_change_results(
    run: tuple[Network, Events], record: Any, products: bool | None
) -> None:
    network, events = run
    choose(network, products)
    expected = reference.run(network, events, record)
    with sharing():
        for variant in engine.VARIANTS:
            assert_same(engine.run(network, events, record, 5, variant), expected)


@given(runs())
def test_a_stream_may_be_shared_by_threads(run: tuple[Network, Events]) -> None:
    network, events = run
    expected = reference.run(network, events)
    states = engine.initial_state(network, expected.batch)
    with sharing():
        assert_same(engine.run_from_state(network, states, events, threads=5), expected)


def test_states_are_recorded_by_the_thread_that_computed_them() -> None:
    """Two layers of many rows, whose threads are at different steps for most of a run."""
    rng = np.random.default_rng(0)
    weights = (2 * rng.integers(-60, 60, (8, channels, 3, 3)) for channels in (2, 8))
    first, second = (Conv(each, padding=(1, 1)) for each in weights)
    shapes = {"in": (2, 32, 32), "a": (8, 32, 32), "b": (8, 32, 32)}
    network = Network(
        tuple(
            Population(name, shape, "input" if name == "in" else "cuba", threshold=300)
            for name, shape in shapes.items()
        ),
        (Projection("p", "in", "a", first), Projection("q", "a", "b", second)),
    )
    events = (rng.random((16, 1, 2, 32, 32)) < 0.2).astype(np.uint8)
    expected = reference.run(network, events, "states")
    with sharing():
        for _ in range(20):
            found = engine.run(network, events, "states", threads=2)
            for name in ("a", "b"):
                assert np.array_equal(found.voltages[name], expected.voltages[name])
                assert np.array_equal(found.currents[name], expected.currents[name])


def test_a_hundred_runs_on_threads_are_one_run() -> None:
    network, events = wide(), images(0.2)
    alone = engine.run(network, events, threads=1)
    one, rest = events[:, :1], events[:, 1:]
    with sharing():
        for _ in range(100):
            assert_same(engine.run(network, events, threads=2), alone)
            pieces = [engine.run(network, piece, threads=3) for piece in (one, rest)]
            voltages = [piece.voltages["sum"] for piece in pieces]
            assert np.array_equal(np.concatenate(voltages, 1), alone.voltages["sum"])


def test_a_thread_that_cannot_start_leaves_no_other_waiting() -> None:
    class Refusing(ThreadPoolExecutor):
        def submit(self, work: Any, number: Any) -> Any:  # type: ignore[override]
            if number == 2:
                raise RuntimeError("can't start new thread")
            return super().submit(work, number)

    network, events = wide(), images(0.2)
    threads.shutdown_idle_pools()
    with (
        sharing(),
        patch.object(threads, "ThreadPoolExecutor", Refusing),
        pytest.raises(RuntimeError, match="new thread"),
    ):
        engine.run(network, events[:, :1], threads=3)
    assert_same(engine.run(network, events), reference.run(network, events))


@given(st.one_of(runs(), stopping_runs()), st.integers(0, 6), st.sampled_from(engine.VARIANTS))
def test_a_stream_may_be_cut_anywhere(run: tuple[Network, Events], cut: int, variant: str) -> None:
    network, events = run
    whole = reference.run(network, events)
    cut = min(cut, whole.timesteps - 1)
    states = engine.initial_state(network, whole.batch)
    pieces = [{k: v[part] for k, v in events.items()} for part in (slice(cut), slice(cut, None))]
    traces = [
        engine.run_from_state(network, states, piece, variant=variant)
        for piece in pieces[cut == 0 :]
    ]
    assert_same(joined(*traces) if cut else traces[0], whole)


@VARIANTS
def test_long_runs_of_many_rounds_give_the_reference(variant: str) -> None:
    events = np.concatenate([images(0.1), images(0.6), images(0.0), images(0.1)])
    assert_same(engine.run(wide(), events, variant=variant), reference.run(wide(), events))


@settings(max_examples=2 * settings().max_examples)
@given(runs(), st.sampled_from(engine.VARIANTS), st.integers(0, 1))
def test_states_of_every_step_are_those_of_the_arithmetic(
    run: tuple[Network, Events], variant: str, grouped: int
) -> None:
    """`record="states"` asks for the current and voltage of every neuron after each step."""
    network, events = run
    whole = reference.run(network, events)
    wanted: dict[str, list[Any]] = {p.name: [] for p in network.topological_order}
    states = {
        p.name: (np.zeros((whole.batch, *p.shape), np.int64),) * len(p.states)
        for p in network.topological_order
    }
    spikes = dict(whole.spikes)
    for now in range(whole.timesteps):
        for p in network.topological_order:
            activation = reference._activation(network, p, spikes, now)
            states[p.name], _ = neuron_step(p, states[p.name], activation)
            wanted[p.name].append(states[p.name][:2])
    with patch.object(engine, "GROUP_LEAST", 8 - 7 * grouped):
        actual = engine.run(network, events, "states", variant=variant)
    for name, steps in wanted.items():
        assert np.array_equal(actual.currents[name], np.stack([u for u, _ in steps]))
        assert np.array_equal(actual.voltages[name], np.stack([v for _, v in steps]))


def test_events_may_be_read_only_or_lie_in_any_order() -> None:
    events = images(0.3)
    turned = np.ascontiguousarray(events.transpose(4, 3, 2, 1, 0)).transpose(4, 3, 2, 1, 0)
    turned.flags.writeable = False
    assert_same(engine.run(wide(), turned), engine.run(wide(), events))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of other libraries' threads
def test_a_process_may_fork_after_a_threaded_run() -> None:
    network, events = wide(), images(0.1)
    before = engine.run(network, events, threads=2)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        after = engine.run(network, events, threads=2)
        same = np.array_equal(after.voltages["sum"], before.voltages["sum"])
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_tables_are_compiled_once_and_go_with_their_network() -> None:
    network = wide()
    tables = weakref.ref(engine.compiled_network(network).tables)
    assert engine.compiled_network(network).tables is tables()
    del network
    gc.collect()
    assert tables() is None


def test_first_runs_at_once_make_one_table() -> None:
    networks, events, together = [wide()], images(0.1), Barrier(4)
    traces: list[Trace] = []

    def compile_network(*given: Any) -> Any:
        together.wait(60)  # so that each of them makes its own
        return cpu_compile.compile_network(*given)

    with patch.object(engine, "compile_network", compile_network):
        threads.parallel_for(lambda _: traces.append(engine.run(networks[0], events, threads=1)), 4)
    kept = weakref.ref(engine.compiled_network(networks[0]).tables)
    for trace in traces:
        assert_same(trace, reference.run(networks[0], events))
    networks.clear()
    gc.collect()
    assert kept() is None


def test_states_of_another_batch_are_refused() -> None:
    network = wide()
    with pytest.raises(EngineError, match="events of 3 samples, but states of 2"):
        engine.run_from_state(network, engine.initial_state(network, 2), images(0.1))


def test_an_unknown_variant_is_refused() -> None:
    with pytest.raises(ValueError, match="unsupported variant"):
        engine.run(wide(), images(0.1), variant="sse2")


@VARIANTS
@pytest.mark.parametrize("shape", [(20,), (5, 2, 2)])
def test_learning_gives_the_weights_of_the_reference(shape: Any, variant: str) -> None:
    """Also of weights that start within 7 bits and grow, and of two plastic projections."""
    rng = np.random.default_rng(0)
    chosen = np.nonzero(rng.random((20, 20)) < 0.3)
    first = np.nonzero(rng.random((20, 12)) < 0.6)
    populations = (
        Population("in", (12,), "input"),
        Population("n", shape, voltage_decay=rng.integers(200, 2000, shape), threshold=900),
    )
    back = Sparse(rng.integers(20, 120, chosen[0].size), chosen[0], chosen[1], (20, 20))
    forth = Sparse(rng.integers(0, 255, first[0].size), first[0], first[1], (20, 12))
    network = Network(
        populations,
        (Projection("f", "in", "n", forth, 0, 1), Projection("b", "n", "n", back, 1, 1)),
    )
    kept = (3000, 3900)
    rules = {
        "b": PlasticityRule(kept, (2500, 3950), rng.integers(0, 64, (2, chosen[0].size)), 2),
        "f": PlasticityRule(kept, kept, rng.integers(0, 64, (2, first[0].size)), seed=7),
    }
    events = (rng.random((40, 3, 12)) < 0.4).astype(np.uint8)
    expected = plasticity.learn(network, rules, events)
    assert expected != network
    assert learning.learn(network, rules, events, variant) == expected


def test_damaged_tables_are_found_or_do_no_harm() -> None:
    """One or a few integers of a table are changed: it is refused, or runs within its memory."""
    script = os.path.join(os.path.dirname(__file__), "damage_tables.py")
    subprocess.run([sys.executable, script, "400"], check=True, timeout=300)
