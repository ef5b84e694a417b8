"""Torch on a device against the compiled loops; here the device is torch's own CPU."""

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
    excitatory=40, inhibitory=10, in_degree=5, input_degree=6, learning_rate=0.05, batch_size=4, epochs=3,
    plastic=("input", "ee", "ei"),
)  # fmt: skip
EVENTS = (np.random.default_rng(0).random((12, 20, 2, 4, 4)) < 0.15).astype(np.uint8).swapaxes(0, 1)
TORCH = "cpu:0"  # a device of torch, where "cpu" are the compiled loops


@pytest.fixture(scope="module")
def network() -> RecurrentNetwork:
    """An untrained network in float64."""
    return build_recurrent_network(OPTIONS, EVENTS.shape[2:], np.float64)


def test_spikes_and_operations_are_those_of_the_loops(network: RecurrentNetwork) -> None:
    found, wanted = simulate(network, EVENTS, TORCH), simulate(network, EVENTS)
    assert (found.spikes == wanted.spikes).all() and found.spikes_per_sample > 10
    assert found.synops.tolist() == wanted.synops.tolist()


def test_what_is_learned_is_what_the_loops_learn(network: RecurrentNetwork) -> None:
    found, wanted = train_stdp(network, EVENTS, device=TORCH), train_stdp(network, EVENTS)
    assert np.abs(wanted.weights - network.weights).max() > 0.01
    np.testing.assert_allclose(found.weights, wanted.weights, rtol=0, atol=1e-12)
    assert (found.threshold == wanted.threshold).all()


def test_a_runaway_is_told_as_the_loops_tell_it() -> None:
    wild = OPTIONS.model_copy(update={"strengths": Strengths(ee=60.0, ei=0.1, ie=0.1, input=9.0)})
    told = []
    for device in ("cpu", TORCH):
        with pytest.raises(EngineError) as caught:
            train_stdp(build_recurrent_network(wild, EVENTS.shape[2:]), EVENTS, device=device)
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_a_device_that_is_not_there_is_refused(network: RecurrentNetwork) -> None:
    with pytest.raises(EngineError, match='device "abacus": .*; "cpu" is always there'):
        simulate(network, EVENTS, "abacus")
