"""Torch against the compiled loops; the device is torch's CPU."""

import numpy as np
import pytest

from pumice.runtime.errors import EngineError
from pumice.train.hrsnn import (
    HrsnnOptions,
    RecurrentNetwork,
    build_recurrent_network,
    simulate,
    train_stdp,
)
from pumice.train.hrsnn.options import Strengths

OPTIONS = HrsnnOptions(
    excitatory=40, inhibitory=10, in_degree=5, input_degree=6,
    learning_rate=0.05, batch_size=4, epochs=3,
    plastic=("input", "ee", "ei"),
)  # fmt: skip
EVENTS = (np.random.default_rng(0).random((12, 20, 2, 4, 4)) < 0.15).astype(np.uint8).swapaxes(0, 1)
TORCH = "cpu:0"  # torch; "cpu" is the compiled loops


@pytest.fixture(scope="module")
def network() -> RecurrentNetwork:
    """An untrained network in float64."""
    return build_recurrent_network(OPTIONS, EVENTS.shape[2:], np.float64)


def test_spikes_and_operations_equal_the_compiled_loops(network: RecurrentNetwork) -> None:
    result, expected = simulate(network, EVENTS, TORCH), simulate(network, EVENTS)
    assert (result.spikes == expected.spikes).all() and result.spikes_per_sample > 10
    assert result.synops.tolist() == expected.synops.tolist()


def test_learned_weights_equal_the_compiled_loops(network: RecurrentNetwork) -> None:
    result, expected = train_stdp(network, EVENTS, device=TORCH), train_stdp(network, EVENTS)
    assert np.abs(expected.weights - network.weights).max() > 0.01
    np.testing.assert_allclose(result.weights, expected.weights, rtol=0, atol=1e-12)
    assert (result.threshold == expected.threshold).all()


def test_runaway_activity_has_the_same_message() -> None:
    unstable = OPTIONS.model_copy(
        update={"strengths": Strengths(ee=60.0, ei=0.1, ie=0.1, input=9.0)}
    )
    messages = []
    for device in ("cpu", TORCH):
        with pytest.raises(EngineError) as caught:
            train_stdp(build_recurrent_network(unstable, EVENTS.shape[2:]), EVENTS, device=device)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_an_unavailable_device_is_rejected(network: RecurrentNetwork) -> None:
    with pytest.raises(EngineError, match='device "abacus": .*; "cpu" is always available'):
        simulate(network, EVENTS, "abacus")
