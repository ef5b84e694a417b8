"""The way onto a chip, up to Intel's package: a stand-in in `intel/` passes messages on."""

import os
from pathlib import Path

import numpy as np
import pytest
from traces import assert_same
from zoo import KINDS, ZOO

from pumice.deploy.lava import measure, run, unsupported_features
from pumice.runtime import Conv, Dense, Network, Population, Projection
from pumice.runtime.engines import reference
from pumice.runtime.errors import EngineError
from pumice.runtime.trace import Record

rng = np.random.default_rng(5)
KERNELS, WEIGHTS = (rng.integers(-9, 16, shape) * 2 for shape in ((3, 2, 3, 3), (7, 90)))
PLAIN = Network(
    (
        Population("pixels", (2, 5, 6), kind="input", value_bits=8),
        Population("hidden", (3, 5, 6), threshold=3000, current_decay=1000, voltage_decay=100),
        Population("answer", (7,), threshold=300, current_decay=1000, voltage_decay=100, bias=3),
    ),
    (
        Projection("in", "pixels", "hidden", Conv(KERNELS, padding=(1, 1))),
        Projection("out", "hidden", "answer", Dense(WEIGHTS), 1),
    ),
)
EVENTS = rng.integers(0, 256, (8, 3, 2, 5, 6)).astype(np.uint8)


@pytest.fixture
def chip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Intel's package be found, here and in the process that runs Lava."""
    stand_in = Path(__file__).parent / "intel"
    monkeypatch.setenv("PYTHONPATH", str(stand_in), prepend=os.pathsep)
    monkeypatch.syspath_prepend(stand_in)


def test_without_the_package_of_intel_the_chip_is_refused() -> None:
    with pytest.raises(EngineError, match="loihi2: needs lava-loihi, .* run in the simulator"):
        run(PLAIN, EVENTS, target="loihi2")


@pytest.mark.lava
@pytest.mark.usefixtures("chip")
@pytest.mark.parametrize("record", ["all", "output"])
def test_behind_the_adapters_the_graph_is_the_same(record: Record) -> None:
    found = run(PLAIN, EVENTS, record, target="loihi2")
    assert found.spikes["answer"].any() and not found.spikes["answer"].all()
    assert_same(found, reference.run(PLAIN, EVENTS, record))


@pytest.mark.lava
@pytest.mark.usefixtures("chip")
def test_the_probes_of_the_chip_are_read_in_seconds_and_watts() -> None:
    trace, told = measure(PLAIN, EVENTS, target="loihi2")
    assert_same(trace, reference.run(PLAIN, EVENTS))
    assert told.processes == () and told.steps == 8 * 3 + 2
    assert told.probes == pytest.approx(
        {
            "seconds_per_step": 150e-6,
            "total_power": 0.5,
            "static_power": 0.2,
            "vdd_power": 0.2,
            "vddm_power": 0.25,
            "vddio_power": 0.05,
        }
    )


@pytest.mark.usefixtures("chip")
def test_what_the_chip_has_no_model_for_is_refused() -> None:
    events = {p.name: np.zeros((8, 1, *p.shape), np.uint8) for p in ZOO.inputs}
    with pytest.raises(EngineError, match=r"loihi2: conv_up_0: Lava's Conv .* \(and \d+ more\)"):
        run(ZOO, events, target="loihi2")


@pytest.mark.usefixtures("chip")
def test_states_cannot_be_recorded_on_the_chip() -> None:
    with pytest.raises(EngineError, match="loihi2: currents and voltages cannot be read at each"):
        run(PLAIN, EVENTS, "states", target="loihi2")


def test_a_plain_network_meets_no_obstacle() -> None:
    assert list(unsupported_features(PLAIN, timesteps=8)) == []


def test_timesteps_must_be_a_power_of_two() -> None:
    said = list(unsupported_features(PLAIN, timesteps=10))
    assert said == ["10 timesteps: neurons reset on the chip after a power of two; use one"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("conv_down", "conv_down_0: Lava's Conv has no weight_exponent; scale the weights"),
        ("loop", "loop_1: a delay that ends with the sample has no model for the chip"),
        (
            "reached_early",
            "reached_early_2: skips 2 hops; insert relay populations (pumice.deploy.passes.relays)",
        ),
        ("per_neuron", "per_neuron: threshold differs between neurons, the chip has one per core"),
        ("voltage", "voltage: voltages cannot be read at each step; make it spike"),
    ],
)
def test_each_obstacle_is_named(name: str, text: str) -> None:
    assert name in KINDS
    assert text in list(unsupported_features(ZOO, timesteps=8))
