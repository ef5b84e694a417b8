"""Relays: the same spikes, without waiting."""

import numpy as np
import pytest
from traces import assert_same
from trained import make_network, random_spikes, to_integers, to_uint8

from pumice.deploy.lava import run as run_lava
from pumice.deploy.lava import unsupported_features
from pumice.deploy.passes.relays import insert_relays
from pumice.deploy.passes.schedule import schedule
from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.engines import cpu, reference

EVENTS = to_uint8(random_spikes((2, 8, 8), 3))


def residual() -> Network:
    """The first stage of a residual network, whose sums reach back up to four hops."""
    return to_integers(make_network({"name": "sew_resnet18", "width": 4, "stages": 1}, (2, 8, 8)))


def test_relays_keep_the_spikes_and_remove_all_waiting() -> None:
    plain = residual()
    relayed = insert_relays(plain)
    assert max(schedule(plain).lags.values()) == 5
    assert set(schedule(relayed).lags.values()) == {1}
    trace, expected = cpu.run(relayed, EVENTS), reference.run(plain, EVENTS)
    for name, spikes in expected.spikes.items():
        assert np.array_equal(trace.spikes[name], spikes), name
    assert np.array_equal(trace.voltages["output"], expected.voltages["output"])


def test_relays_leave_the_delay_that_the_chip_supports() -> None:
    lags = schedule(insert_relays(residual(), 2)).lags
    assert max(lags.values()) == 3


@pytest.mark.lava
def test_relays_run_in_lava() -> None:
    relayed = insert_relays(residual())
    assert_same(run_lava(relayed, EVENTS), reference.run(relayed, EVENTS))


def test_relays_make_skip_connections_supported() -> None:
    assert any("skips" in line for line in unsupported_features(residual(), 4))
    assert not any("skips" in line for line in unsupported_features(insert_relays(residual()), 4))


def test_relays_of_flat_populations_pass_graded_values() -> None:
    pixels = Population("pixels", (3,), "input", value_bits=8)
    layers = [Population(name, (3,), voltage_decay=4096, value_bits=8) for name in ("a", "b")]
    end = Population("end", (1,), "integrator")
    ones = Dense(np.eye(3))
    chain = (
        Projection("p", "pixels", "a", ones),
        Projection("q", "a", "b", ones),
        Projection("r", "b", "end", Dense(np.array([[1, 1, 1]]))),
        Projection("s", "pixels", "end", Dense(np.array([[1, 10, 100]]))),
    )
    relayed = insert_relays(Network((pixels, *layers, end), chain))
    events_in = np.array([[[255, 7, 0]]], np.uint8)
    trace = reference.run(relayed, events_in)
    assert trace.spikes["pixels.relay2"].tolist() == events_in.tolist()
    assert trace.voltages["end"].item() == 64 * (255 + 7 + 255 + 70)
