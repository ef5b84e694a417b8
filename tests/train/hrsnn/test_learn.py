"""Unsupervised passes, and what frozen networks answer, beside a step-by-step loop in numpy."""

import numpy as np
import pytest

from pumice.runtime.errors import DataError, EngineError
from pumice.train.hrsnn import (
    HrsnnOptions,
    RecurrentNetwork,
    build_recurrent_network,
    simulate,
    train_stdp,
)
from pumice.train.hrsnn.options import Strengths

OPTIONS = HrsnnOptions(
    excitatory=40,
    inhibitory=10,
    in_degree=5,
    input_degree=6,
    learning_rate=0.05,
    batch_size=4,
    epochs=3,
)
EVENTS = (np.random.default_rng(0).random((12, 20, 2, 4, 4)) < 0.15).astype(np.uint8).swapaxes(0, 1)


@pytest.fixture(scope="module")
def network() -> RecurrentNetwork:
    """An untrained network in float64."""
    return build_recurrent_network(OPTIONS, EVENTS.shape[2:], np.float64)


def test_a_response_is_the_neurons_equations_step_by_step(network: RecurrentNetwork) -> None:
    matrix = np.zeros((32 + 50, 50))
    matrix[network.wiring.sources, network.wiring.targets] = network.weights
    voltage, spikes, synops = np.zeros((12, 50)), np.zeros((12, 50)), np.zeros(12)
    found = simulate(network, EVENTS)
    for t in range(20):
        sent = np.concatenate([EVENTS[t].reshape(12, -1), spikes], axis=1)
        voltage = network.decay_factor * voltage + sent @ matrix
        spikes = (voltage > network.threshold).astype(float)
        voltage[spikes > 0] = 0
        assert (found.spikes[t] == spikes).all(), t
        synops += EVENTS[t].reshape(12, -1) @ (matrix[:32] != 0).sum(axis=1)
        synops += spikes @ (matrix[32:] != 0).sum(axis=1)
    assert found.synops.tolist() == synops.tolist()
    assert found.spikes_per_sample == found.spikes.sum() / 12 > 10


def test_learning_changes_plastic_synapses_alone(network: RecurrentNetwork) -> None:
    after = train_stdp(network, EVENTS)
    moved = after.weights != network.weights
    assert not moved[network.wiring.classes == 0].any()
    assert not moved[network.wiring.sources >= 32 + 40].any()
    assert moved[network.wiring.classes == 1].mean() > 0.9


def test_learning_is_the_same_each_time(network: RecurrentNetwork) -> None:
    assert train_stdp(network, EVENTS) == train_stdp(network, EVENTS)


def test_thresholds_bring_rates_to_the_target(network: RecurrentNetwork) -> None:
    options = OPTIONS.model_copy(update={"epochs": 60, "target_rate": 0.25})
    after = train_stdp(network.replace(options=options), EVENTS, plastic=False)
    rates = simulate(after, EVENTS).spikes.mean(axis=(0, 1))
    assert (after.weights == network.weights).all()
    assert np.median(np.abs(rates - 0.25)) < 0.03
    assert np.median(np.abs(simulate(network, EVENTS).spikes.mean(axis=(0, 1)) - 0.25)) > 0.09


def test_rates_that_run_away_stop_with_the_step_and_the_population() -> None:
    wild = OPTIONS.model_copy(update={"strengths": Strengths(ee=60.0, ei=0.1, ie=0.1, input=9.0)})
    message = "excitatory: over 60 % of its neurons fire at step [0-9]+ of batch 0, epoch 0"
    with pytest.raises(EngineError, match=message):
        train_stdp(build_recurrent_network(wild, EVENTS.shape[2:]), EVENTS)


def test_frames_of_another_shape_are_refused(network: RecurrentNetwork) -> None:
    with pytest.raises(DataError, match=r"the network takes uint8 \(timesteps, samples, 2, 4, 4\)"):
        simulate(network, EVENTS[..., :3])
