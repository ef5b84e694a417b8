"""Memory capacity and other metrics, on networks with known values."""

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


def test_a_silent_network_has_no_memory() -> None:
    network = build_recurrent_network(OPTIONS, SHAPE)
    assert memory_capacity(network.replace(threshold=np.full(70, 1e6))) == 0


def test_slow_neurons_have_more_memory_than_memoryless_ones() -> None:
    network = build_recurrent_network(OPTIONS, SHAPE)
    feedforward = np.where(network.wiring.sources < 72, network.weights, 0)  # no recurrence
    slow, fast = (
        memory_capacity(network.replace(weights=feedforward, decay_factor=np.full(70, factor)))
        for factor in (0.9, 0.0)
    )
    assert slow > fast + 0.1
    assert fast < 0.3  # spikes depend on the current input only, up to chance


def test_normalized_weights_are_those_of_plastic_synapses() -> None:
    network = build_recurrent_network(OPTIONS, SHAPE)
    fractions = normalized_weights(network)
    plastic = np.isin(network.wiring.classes, (1, 2))  # ee and ei
    assert fractions.size == plastic.sum()
    assert fractions.min() >= 0.24 and fractions.max() <= 0.76  # initial weights


def test_accuracy_grows_with_the_number_of_training_samples() -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(120) % 2
    rates = np.where(labels[:, None, None], 0.6, 0.4) * np.ones((120, 6, 20))
    spikes = (generator.random(rates.shape) < rates).astype(np.uint8)
    spikes = spikes.swapaxes(0, 1)
    parts = (spikes[:, :80], labels[:80]), (spikes[:, 80:], labels[80:])
    accuracy = accuracy_by_train_fraction(*parts, fractions=(0.05, 1.0), bins=2)
    assert accuracy[1.0] > accuracy[0.05] >= 0.4
    assert accuracy[1.0] == pytest.approx(1, abs=0.1)
