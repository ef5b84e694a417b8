"""STDP training, and simulation against a loop over timesteps in numpy."""

import numpy as np
import pytest

from pumice.runtime.errors import DataError, EngineError, PumiceWarning
from pumice.train.hrsnn import (
    HrsnnOptions,
    RecurrentNetwork,
    build_recurrent_network,
    simulate,
    train_stdp,
)
from pumice.train.hrsnn.learn import MIN_TARGET, target_rates
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


def test_simulation_equals_a_dense_loop_over_timesteps(network: RecurrentNetwork) -> None:
    matrix = np.zeros((32 + 50, 50))
    matrix[network.wiring.sources, network.wiring.targets] = network.weights
    voltage, spikes, synops = np.zeros((12, 50)), np.zeros((12, 50)), np.zeros(12)
    response = simulate(network, EVENTS)
    for t in range(20):
        inputs = np.concatenate([EVENTS[t].reshape(12, -1), spikes], axis=1)
        voltage = network.decay_factor * voltage + inputs @ matrix
        spikes = (voltage > network.threshold).astype(float)
        voltage[spikes > 0] = 0
        assert (response.spikes[t] == spikes).all(), t
        synops += EVENTS[t].reshape(12, -1) @ (matrix[:32] != 0).sum(axis=1)
        synops += spikes @ (matrix[32:] != 0).sum(axis=1)
    assert response.synops.tolist() == synops.tolist()
    assert response.spikes_per_sample == response.spikes.sum() / 12 > 10


def test_training_changes_plastic_synapses_only(network: RecurrentNetwork) -> None:
    trained = train_stdp(network, EVENTS)
    changed = trained.weights != network.weights
    assert not changed[network.wiring.classes == 0].any()
    assert not changed[network.wiring.sources >= 32 + 40].any()
    assert changed[network.wiring.classes == 1].mean() > 0.9


def test_training_is_deterministic(network: RecurrentNetwork) -> None:
    assert train_stdp(network, EVENTS) == train_stdp(network, EVENTS)


def test_homeostasis_brings_rates_to_the_target(network: RecurrentNetwork) -> None:
    targets = {"target_excitatory": 0.25, "target_inhibitory": 0.25}
    options = OPTIONS.model_copy(update={"epochs": 60, **targets})
    trained = train_stdp(network.replace(options=options), EVENTS, plastic=False)
    rates = simulate(trained, EVENTS).spikes.mean(axis=(0, 1))
    assert (trained.weights == network.weights).all()
    assert np.median(np.abs(rates - 0.25)) < 0.03
    assert np.median(np.abs(simulate(network, EVENTS).spikes.mean(axis=(0, 1)) - 0.25)) > 0.09


def test_populations_have_targets_of_their_own_by_default_the_untrained_rates(
    network: RecurrentNetwork,
) -> None:
    # One target for both populations weakens the inhibition, which costs memory.
    rates = simulate(network, EVENTS).spikes.mean(axis=(0, 1))
    excitatory, inhibitory = rates[:40].mean(), rates[40:].mean()
    assert inhibitory > 1.5 * excitatory > 0
    targets = target_rates(network, EVENTS)
    assert targets[:40] == pytest.approx(excitatory) and targets[40:] == pytest.approx(inhibitory)
    options = OPTIONS.model_copy(update={"target_inhibitory": 0.4})
    chosen = target_rates(network.replace(options=options), EVENTS)
    assert np.unique(chosen).tolist() == pytest.approx([excitatory, 0.4])
    options = OPTIONS.model_copy(update={"epochs": 20})
    settled = train_stdp(network.replace(options=options), EVENTS, plastic=False)
    after = simulate(settled, EVENTS).spikes.mean(axis=(0, 1))
    assert after[:40].mean() == pytest.approx(excitatory, rel=0.2)
    assert after[40:].mean() == pytest.approx(inhibitory, rel=0.2)


def test_a_silent_population_has_a_low_target(network: RecurrentNetwork) -> None:
    assert target_rates(network, 0 * EVENTS).tolist() == [MIN_TARGET] * 50


def test_targets_that_cannot_be_reached_give_a_warning(network: RecurrentNetwork) -> None:
    options = OPTIONS.model_copy(
        update={"epochs": 60, "target_excitatory": 0.9, "target_inhibitory": 0.9}
    )
    message = (
        r"homeostasis: [0-9]+% of the neurons are at the lowest threshold, 0.05, .* 0.9; lower"
    )
    with pytest.warns(PumiceWarning, match=message):
        train_stdp(network.replace(options=options), EVENTS, plastic=False)


def test_runaway_activity_is_an_error_with_step_and_population() -> None:
    unstable = OPTIONS.model_copy(
        update={"strengths": Strengths(ee=60.0, ei=0.1, ie=0.1, input=9.0)}
    )
    message = "excitatory: over 60 % of its neurons fire at step [0-9]+ of batch 0, epoch 0"
    with pytest.raises(EngineError, match=message):
        train_stdp(build_recurrent_network(unstable, EVENTS.shape[2:]), EVENTS)


def test_events_of_another_shape_are_rejected(network: RecurrentNetwork) -> None:
    with pytest.raises(DataError, match=r"the network takes uint8 \(timesteps, samples, 2, 4, 4\)"):
        simulate(network, EVENTS[..., :3])
