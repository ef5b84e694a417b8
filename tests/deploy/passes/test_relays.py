"""Relays: the same spikes, and nothing left that waits."""

import numpy as np
import pytest
from traces import assert_same
from trained import as_bytes, converted, events, network

from pumice.deploy.lava import run as run_lava
from pumice.deploy.lava import unsupported_features
from pumice.deploy.passes.relays import insert_relays
from pumice.deploy.passes.schedule import schedule
from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.engines import cpu, reference

GIVEN = as_bytes(events((2, 8, 8), 3))


def residual() -> Network:
    """The first stage of a residual network, whose sums reach back up to four hops."""
    return converted(network({"name": "sew_resnet18", "width": 4, "stages": 1}, (2, 8, 8)))


def test_a_relayed_network_fires_as_before_and_nothing_waits() -> None:
    plain = residual()
    relayed = insert_relays(plain)
    assert max(schedule(plain).lags.values()) == 5
    assert set(schedule(relayed).lags.values()) == {1}
    found, expected = cpu.run(relayed, GIVEN), reference.run(plain, GIVEN)
    for name, spikes in expected.spikes.items():
        assert np.array_equal(found.spikes[name], spikes), name
    assert np.array_equal(found.voltages["output"], expected.voltages["output"])


def test_relays_stop_where_the_chip_can_wait() -> None:
    lags = schedule(insert_relays(residual(), 2)).lags
    assert max(lags.values()) == 3


@pytest.mark.lava
def test_in_lava_relays_take_the_place_of_delays() -> None:
    relayed = insert_relays(residual())
    assert_same(run_lava(relayed, GIVEN), reference.run(relayed, GIVEN))


def test_the_chip_no_longer_objects_to_skipped_hops() -> None:
    assert any("skips" in line for line in unsupported_features(residual(), 4))
    assert not any("skips" in line for line in unsupported_features(insert_relays(residual()), 4))


def test_graded_values_pass_a_relay_of_flat_neurons_whole() -> None:
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
    given = np.array([[[255, 7, 0]]], np.uint8)
    found = reference.run(relayed, given)
    assert found.spikes["pixels.relay2"].tolist() == given.tolist()
    assert found.voltages["end"].item() == 64 * (255 + 7 + 255 + 70)
