"""Adaptive thresholds (ALIF) in every engine: parameters of each form, recurrence, early exit."""

from dataclasses import replace

import numpy as np
import pytest
from firmware import skip_without_tools
from numpy.typing import NDArray
from traces import assert_same

from pumice.runtime import Conv, Dense, EarlyExit, Network, Population, Projection
from pumice.runtime.divergence import first_divergence
from pumice.runtime.engines import reference
from pumice.runtime.engines.cpu import engine as cpu
from pumice.runtime.engines.run import run
from pumice.runtime.errors import NetworkError


def adaptive_network() -> Network:
    """A convolution with parameters of each channel, and a recurrent layer with those of each."""
    rng = np.random.default_rng(4)
    kernels = 2 * rng.integers(-20, 40, (3, 2, 3, 3))
    return Network(
        (
            Population("in", (2, 5, 6), "input", value_bits=2),
            Population(
                "conv",
                (3, 5, 6),
                reset="adaptive",
                current_decay=1500,
                voltage_decay=[900, 300, 4096],
                threshold=[90, 150, 40],
                threshold_step=[30, 0, 131071],
                threshold_decay=[700, 0, 4096],
                refractory_decay=[1000, 2000, 0],
                bias=3,
            ),
            Population(
                "loop",
                (40,),
                reset="adaptive",
                voltage_decay=300,
                threshold=rng.integers(0, 300, 40),
                threshold_step=rng.integers(0, 100, 40),
                threshold_decay=rng.integers(0, 4097, 40),
                refractory_decay=rng.integers(0, 4097, 40),
            ),
            Population("out", (5,), "integrator"),
        ),
        (
            Projection("a", "in", "conv", Conv(kernels, (1, 1), (1, 1))),
            Projection("b", "conv", "loop", Dense(2 * rng.integers(-30, 40, (40, 90)))),
            Projection("c", "loop", "loop", Dense(2 * rng.integers(-30, 30, (40, 40))), delay=1),
            Projection("d", "loop", "out", Dense(2 * rng.integers(-30, 30, (5, 40)))),
        ),
    )


def drawn_events() -> NDArray[np.uint8]:
    rng = np.random.default_rng(6)
    events = rng.integers(0, 4, (14, 4, 2, 5, 6)) * (rng.random((14, 4, 2, 5, 6)) < 0.5)
    return events.astype(np.uint8)


@pytest.mark.parametrize("margins", [(), (0, 500, 2000, 4000)])
@pytest.mark.parametrize(
    "engine",
    ["cpu", "onnx", "c", "cortex-m", "riscv", pytest.param("lava", marks=pytest.mark.lava)],
)
def test_every_engine_has_the_states_of_the_reference(
    engine: str, margins: tuple[int, ...]
) -> None:
    if engine in ("c", "cortex-m", "riscv"):
        skip_without_tools(engine)
    network, events = adaptive_network(), drawn_events()
    if margins:
        network = replace(network, early_exit=EarlyExit(margins))
    expected = reference.run(network, events, "states")
    assert all(0.02 < expected.spikes[name].mean() < 0.9 for name in ("conv", "loop"))
    trace = run(network, events, engine, "states")
    assert first_divergence(network, expected, trace, engine) is None
    assert expected.steps.tolist() == trace.steps.tolist()


def test_variants_and_threads_of_the_core_are_equal() -> None:
    network, events = adaptive_network(), drawn_events()
    expected = reference.run(network, events, "states")
    for variant in cpu.VARIANTS:
        for threads in (1, 2):
            assert_same(cpu.run(network, events, "states", threads, variant), expected)


def test_a_stream_may_be_cut_anywhere() -> None:
    network, events = adaptive_network(), drawn_events()
    whole = reference.run(network, events)
    states = cpu.initial_state(network, events.shape[1])
    parts = [cpu.run_from_state(network, states, events[a:b]) for a, b in ((0, 5), (5, 6), (6, 14))]
    joined = np.concatenate([part.spikes["loop"] for part in parts])
    assert np.array_equal(joined, whole.spikes["loop"])
    cpu.silence(network, states, "loop")
    assert not states.voltage[:, -80:].any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"threshold_step": 1}, 'need reset="adaptive"'),
        ({"refractory_decay": 0}, 'need reset="adaptive"'),
        ({"reset": "adaptive", "refractory": 2}, "takes binary spikes, no reset_value"),
        ({"reset": "adaptive", "value_bits": 2}, "takes binary spikes"),
        ({"reset": "adaptive", "threshold_step": -1}, "threshold_step is -1, needs 0 to 131071"),
        ({"reset": "adaptive", "kind": "integrator"}, "integrator populations have no reset"),
    ],
)
def test_parameters_that_contradict_each_other_are_errors(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(NetworkError, match=message):
        Population("p", (3,), **values)  # type: ignore[arg-type]
