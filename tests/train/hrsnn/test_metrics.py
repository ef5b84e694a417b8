"""Memory capacity and other measures, on networks whose answer is known."""

import numpy as np
import pytest

from pumice.train.hrsnn import HrsnnOptions, build_recurrent_network
from pumice.train.hrsnn.metrics import (
    accuracy_by_train_fraction,
    memory_capacity,
    normalized_weights,
)

OPTIONS = HrsnnOptions(excitatory=60, inhibitory=10, in_degree=5, input_degree=12)
SHAPE = (2, 6, 6)


def test_a_network_that_never_fires_remembers_nothing() -> None:
    network = build_recurrent_network(OPTIONS, SHAPE)
    assert memory_capacity(network.replace(threshold=np.full(70, 1e6))) == 0


def test_neurons_that_keep_their_voltage_remember_more_than_those_that_lose_it() -> None:
    network = build_recurrent_network(OPTIONS, SHAPE)
    cut = np.where(network.wiring.sources < 72, network.weights, 0)  # no recurrence
    kept, lost = (
        memory_capacity(network.replace(weights=cut, decay_factor=np.full(70, share)))
        for share in (0.9, 0.0)
    )
    assert kept > lost + 0.1
    assert lost < 0.3  # spikes of a step tell of that step alone, but for chance


def test_shares_of_weights_are_those_of_what_learns() -> None:
    network = build_recurrent_network(OPTIONS, SHAPE)
    shares = normalized_weights(network)
    learns = np.isin(network.wiring.classes, (1, 2))  # ee and ei
    assert shares.size == learns.sum()
    assert shares.min() >= 0.24 and shares.max() <= 0.76  # as drawn


def test_a_read_out_on_more_samples_is_no_worse() -> None:
    random = np.random.default_rng(0)
    labels = np.arange(120) % 2
    chance = np.where(labels[:, None, None], 0.6, 0.4) * np.ones((120, 6, 20))
    spikes = (random.random(chance.shape) < chance).astype(np.uint8)
    spikes = spikes.swapaxes(0, 1)
    parts = (spikes[:, :80], labels[:80]), (spikes[:, 80:], labels[80:])
    found = accuracy_by_train_fraction(*parts, fractions=(0.05, 1.0), bins=2)
    assert found[1.0] > found[0.05] >= 0.4
    assert found[1.0] == pytest.approx(1, abs=0.1)
