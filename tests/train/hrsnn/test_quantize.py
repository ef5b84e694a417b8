"""Quantized networks: equal in every engine, and close to the float network."""

import numpy as np
import pytest
from traces import assert_same

from pumice.convert.formats.onnx.writer import run_onnx
from pumice.deploy import lava
from pumice.runtime import Network, Sparse
from pumice.runtime.engines import cpu, reference
from pumice.runtime.verify import RunFunction
from pumice.train.hrsnn import (
    HrsnnOptions,
    RecurrentNetwork,
    build_recurrent_network,
    simulate,
    to_network,
    train_stdp,
)

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
def trained_network() -> RecurrentNetwork:
    """A network after three epochs."""
    return train_stdp(build_recurrent_network(OPTIONS, EVENTS.shape[2:]), EVENTS)


@pytest.fixture(scope="module")
def network(trained_network: RecurrentNetwork) -> Network:
    """The quantized network."""
    return to_network(trained_network)


@pytest.mark.parametrize("run", [cpu.run, run_onnx])
def test_the_quantized_network_is_the_same_in_every_engine(
    network: Network, run: RunFunction
) -> None:
    expected = reference.run(network, EVENTS)
    assert expected.spikes["excitatory"].any() and expected.spikes["inhibitory"].any()
    assert_same(run(network, EVENTS), expected)


@pytest.mark.lava
def test_the_quantized_network_is_the_same_in_lava(network: Network) -> None:
    events = EVENTS[:, :3]
    assert_same(lava.run(network, events), reference.run(network, events))


def test_projections_have_one_sign_and_recurrent_ones_a_delay(network: Network) -> None:
    for projection in network.projections:
        connection = projection.connection
        assert isinstance(connection, Sparse)
        inhibits = projection.source == "inhibitory"
        assert (connection.weights <= 0).all() if inhibits else (connection.weights >= 0).all()
        assert np.abs(connection.weights).max() > 127  # uses its 8 bits
        assert projection.delay == (projection.source != "input")


def test_each_neuron_has_its_time_constant(
    trained_network: RecurrentNetwork, network: Network
) -> None:
    names = "excitatory", "inhibitory"
    decays = np.concatenate([network.population(name).voltage_decay for name in names])
    assert np.abs(decays / 4096 - (1 - trained_network.decay_factor)).max() <= 0.5 / 4096 + 1e-7
    assert np.unique(decays).size > 40


def test_quantized_spikes_are_close_to_the_trained_network(
    trained_network: RecurrentNetwork, network: Network
) -> None:
    trace = reference.run(network, EVENTS)
    spikes = np.concatenate([trace.spikes["excitatory"], trace.spikes["inhibitory"]], axis=2)
    expected = simulate(trained_network, EVENTS).spikes
    assert (spikes == expected).mean() > 0.98
    rates = [each.mean(axis=(0, 1)) for each in (spikes, expected)]
    assert np.corrcoef(*rates)[0, 1] > 0.98
