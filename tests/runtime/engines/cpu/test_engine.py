"""CPU engine against the reference, and against itself cut, threaded and forked."""

import gc
import os
import signal
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from dense_path import force_dense_path
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import Events, runs, stopping_runs
from traces import assert_same

from pumice.runtime import Conv, Dense, Network, Population, Projection, Trace
from pumice.runtime.engines import cpu, reference
from pumice.runtime.engines.cpu import compile as cpu_compile
from pumice.runtime.engines.cpu import threads
from pumice.runtime.errors import EngineError


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


def images(rate: float) -> NDArray[np.uint8]:
    rng = np.random.default_rng(4)
    values = rng.integers(1, 256, (19, 3, 6, 9, 8))
    return (values * (rng.random(values.shape) < rate)).astype(np.uint8)


def concatenate_traces(first: Trace, second: Trace) -> Trace:
    return replace(
        first,
        timesteps=first.timesteps + second.timesteps,
        spikes={k: np.concatenate([v, second.spikes[k]]) for k, v in first.spikes.items()},
        counts={k: v + second.counts[k] for k, v in first.counts.items()},
        voltages={k: np.concatenate([v, second.voltages[k]]) for k, v in first.voltages.items()},
        steps=first.steps + second.steps,
    )


@pytest.mark.parametrize("rate", [0.0, 0.02, 0.59, 0.61, 1.0])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (2, 3)])
@pytest.mark.parametrize("dilation", [(1, 1), (1, 2), (2, 3)])
@pytest.mark.parametrize(("product", "groups"), [(0, 2), (1, 2), (1, 1)])
def test_every_activity_and_geometry_gives_the_reference(
    rate: float, stride: tuple[int, int], dilation: tuple[int, int], product: int, groups: int
) -> None:
    """With `product`, products take over where any source is active."""
    network = wide(groups, stride=stride, padding=(2, 1), dilation=dilation)
    cpu.engine.compiled_network(network).projections["product"] = product
    assert_same(cpu.run(network, images(rate)), reference.run(network, images(rate)))


@pytest.mark.parametrize("rate", [0.3, 1.0])
@pytest.mark.parametrize("padding", [(0, 0), (1, 1), (3, 4)])
@pytest.mark.parametrize("kernel", [(3, 3), (3, 1), (1, 3), (1, 1)])
def test_windows_as_large_as_the_map_or_outside_it_are_exact(
    rate: float, padding: tuple[int, int], kernel: tuple[int, int]
) -> None:
    rng = np.random.default_rng(9)
    conv = Conv(2 * rng.integers(-128, 128, (5, 4, *kernel)), padding=padding)
    populations = (
        Population("in", (4, 3, 3), "input"),
        Population("conv", conv.target_shape((4, 3, 3)), threshold=300),
    )
    network = Network(populations, (Projection("a", "in", "conv", conv),))
    events = (rng.random((9, 2, 4, 3, 3)) < rate).astype(np.uint8)
    assert_same(cpu.run(network, events), reference.run(network, events))


@given(runs(), st.sampled_from(["all", "output"]))
def test_threads_never_change_results(run: tuple[Network, Events], record: Any) -> None:
    network, events = run
    alone = cpu.run(network, events, record, threads=1)
    assert_same(cpu.run(network, events, record, threads=3), alone)
    assert_same(reference.run(network, events, record), alone)


def sharing() -> Any:
    """Let threads share even the smallest network."""
    return patch.multiple(cpu.engine, MIN_WORK=0, MIN_NEURONS_PER_THREAD=1)


@given(runs(), st.sampled_from(["all", "output"]), st.booleans())
def test_threads_that_share_a_sample_never_change_results(
    run: tuple[Network, Events], record: Any, products: bool
) -> None:
    network, events = run
    if products:
        force_dense_path(network)
    alone = cpu.run(network, events, record, threads=1)
    with sharing():
        assert_same(cpu.run(network, events, record, threads=8), alone)


def test_a_hundred_threaded_runs_are_equal() -> None:
    network, events = wide(), images(0.2)
    alone = cpu.run(network, events, threads=1)
    one, rest = events[:, :1], events[:, 1:]
    with sharing():
        for _ in range(100):
            assert_same(cpu.run(network, events, threads=2), alone)
            pieces = [cpu.run(network, piece, threads=3) for piece in (one, rest)]
            voltages = [piece.voltages["sum"] for piece in pieces]
            assert np.array_equal(np.concatenate(voltages, 1), alone.voltages["sum"])


def test_a_thread_that_cannot_start_aborts_the_others() -> None:
    class Refusing(ThreadPoolExecutor):
        def submit(self, work: Any, number: Any) -> Any:  # type: ignore[override]
            if number == 2:
                raise RuntimeError("can't start new thread")
            return super().submit(work, number)

    network, events = wide(), images(0.2)
    threads.shutdown_idle_pools()
    refusing = patch.object(threads, "ThreadPoolExecutor", Refusing)
    with sharing(), refusing, pytest.raises(RuntimeError, match="new thread"):
        cpu.run(network, events[:, :1], threads=3)
    assert_same(cpu.run(network, events), reference.run(network, events))


@given(st.one_of(runs(), stopping_runs()), st.integers(0, 6))
def test_a_stream_may_be_cut_anywhere(run: tuple[Network, Events], cut: int) -> None:
    network, events = run
    whole = cpu.run(network, events)
    cut = min(cut, whole.timesteps - 1)
    states = cpu.initial_state(network, whole.batch)
    pieces = [{k: v[part] for k, v in events.items()} for part in (slice(cut), slice(cut, None))]
    traces = [cpu.run_from_state(network, states, piece) for piece in pieces[cut == 0 :]]
    assert_same(concatenate_traces(*traces) if cut else traces[0], whole)


@pytest.mark.parametrize("weight", [128, -128])
@pytest.mark.parametrize("inputs", [1023, 1024, 1025])
def test_a_current_at_the_edge_of_wrapping_gives_the_reference(weight: int, inputs: int) -> None:
    """Up to 1023 of these no sum can wrap, and loops of their own do not look for it."""
    out = Population("out", (3,), threshold=100)
    dense = Dense(np.full((3, inputs), weight, np.int16))
    populations = Population("in", (inputs,), "input"), out
    network = Network(populations, (Projection("p", "in", "out", dense),))
    assert bool(cpu.engine.compiled_network(network).populations[1]["plain"]) == (inputs < 1024)
    events = np.ones((5, 2, inputs), np.uint8)
    assert_same(cpu.run(network, events), reference.run(network, events))


def test_long_runs_of_many_rounds_give_the_reference() -> None:
    events = np.concatenate([images(0.1), images(0.6), images(0.0), images(0.1)])
    assert_same(cpu.run(wide(), events), reference.run(wide(), events))


def test_events_may_be_read_only_or_lie_in_any_order() -> None:
    events = images(0.3)
    turned = np.ascontiguousarray(events.transpose(4, 3, 2, 1, 0)).transpose(4, 3, 2, 1, 0)
    turned.flags.writeable = False
    assert_same(cpu.run(wide(), turned), cpu.run(wide(), events))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of other libraries' threads
def test_a_process_may_fork_after_a_threaded_run() -> None:
    network, events = wide(), images(0.1)
    before = cpu.run(network, events, threads=2)
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        same = np.array_equal(
            cpu.run(network, events, threads=2).voltages["sum"], before.voltages["sum"]
        )
        os._exit(0 if same else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_a_network_is_compiled_once_and_dropped_with_it() -> None:
    network = wide()
    layout = weakref.ref(cpu.engine.compiled_network(network).weights)
    assert cpu.engine.compiled_network(network).weights is layout()
    del network
    gc.collect()
    assert layout() is None


def test_concurrent_first_runs_compile_once() -> None:
    networks, events, together = [wide()], images(0.1), Barrier(4)
    traces: list[Trace] = []

    def compile_together(*given: Any) -> Any:
        together.wait(60)  # so that each of them makes its own
        return cpu_compile.compile_network(*given)

    with patch.object(cpu.engine, "compile_network", compile_together):
        threads.parallel_for(lambda _: traces.append(cpu.run(networks[0], events, threads=1)), 4)
    stored = weakref.ref(cpu.engine.compiled_network(networks[0]).weights)
    for trace in traces:
        assert_same(trace, reference.run(networks[0], events))
    networks.clear()
    traces.clear()
    del trace
    gc.collect()  # an exception in what ends a network would fail the test
    assert stored() is None


def test_states_of_another_batch_are_rejected() -> None:
    network = wide()
    with pytest.raises(EngineError, match="events of 3 samples, but states of 2"):
        cpu.run_from_state(network, cpu.initial_state(network, 2), images(0.1))
