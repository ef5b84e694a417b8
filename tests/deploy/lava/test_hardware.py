"""Runs on the chip, with a stub of Intel's package in `intel/` that passes messages on."""

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
    """Make Intel's package importable, in this process and in the Lava worker."""
    stub = Path(__file__).parent / "intel"
    monkeypatch.setenv("PYTHONPATH", str(stub), prepend=os.pathsep)
    monkeypatch.syspath_prepend(stub)


def test_missing_intel_package_raises() -> None:
    with pytest.raises(EngineError, match="loihi2: needs lava-loihi, .* run in the simulator"):
        run(PLAIN, EVENTS, target="loihi2")


@pytest.mark.lava
@pytest.mark.usefixtures("chip")
@pytest.mark.parametrize("record", ["all", "output"])
def test_on_chip_run_equals_the_reference(record: Record) -> None:
    trace = run(PLAIN, EVENTS, record, target="loihi2")
    assert trace.spikes["answer"].any() and not trace.spikes["answer"].all()
    assert_same(trace, reference.run(PLAIN, EVENTS, record))


@pytest.mark.lava
@pytest.mark.usefixtures("chip")
def test_probes_are_read_in_seconds_and_watts() -> None:
    trace, timing = measure(PLAIN, EVENTS, target="loihi2")
    assert_same(trace, reference.run(PLAIN, EVENTS))
    assert timing.processes == () and timing.steps == 8 * 3 + 2
    assert timing.probes == pytest.approx(
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
def test_unsupported_features_raise() -> None:
    events = {p.name: np.zeros((8, 1, *p.shape), np.uint8) for p in ZOO.inputs}
    with pytest.raises(EngineError, match=r"loihi2: conv_up_0: Lava's Conv .* \(and \d+ more\)"):
        run(ZOO, events, target="loihi2")


@pytest.mark.usefixtures("chip")
def test_states_cannot_be_recorded_on_the_chip() -> None:
    with pytest.raises(EngineError, match="loihi2: currents and voltages cannot be read at each"):
        run(PLAIN, EVENTS, "states", target="loihi2")


def test_a_plain_network_has_no_unsupported_features() -> None:
    assert list(unsupported_features(PLAIN, timesteps=8)) == []


def test_timesteps_must_be_a_power_of_two() -> None:
    features = list(unsupported_features(PLAIN, timesteps=10))
    assert features == ["10 timesteps: neurons reset on the chip after a power of two; use one"]


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
def test_each_unsupported_feature_is_listed(name: str, text: str) -> None:
    assert name in KINDS
    assert text in list(unsupported_features(ZOO, timesteps=8))
