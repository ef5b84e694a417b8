"""Untrained networks: Dale's law, distributions, one wiring for all variants."""

import numpy as np
import pytest

from pumice.runtime.errors import NetworkError
from pumice.train.hrsnn import VARIANTS, HrsnnOptions, apply_variant, build_recurrent_network
from pumice.train.hrsnn.wiring import SYNAPSE_CLASSES

OPTIONS = HrsnnOptions(
    excitatory=40, inhibitory=10, in_degree=5, input_degree=6, learning_rate=0.05
)
SHAPE = (2, 4, 4)


def test_weights_obey_dales_law() -> None:
    network = build_recurrent_network(OPTIONS, SHAPE)
    inhibitory = network.wiring.sources >= 32 + 40
    assert (network.weights[inhibitory] < 0).all() and (network.weights[~inhibitory] > 0).all()


def test_a_weight_of_the_wrong_sign_is_rejected() -> None:
    network = build_recurrent_network(OPTIONS, SHAPE)
    with pytest.raises(NetworkError, match="synapse 0: weight .* has the wrong sign"):
        network.replace(weights=-network.weights)


def test_each_class_of_synapses_has_its_strength() -> None:
    network = build_recurrent_network(OPTIONS, SHAPE)
    for number, name in enumerate(SYNAPSE_CLASSES):
        members = network.wiring.classes == number
        sums = np.bincount(network.wiring.targets[members], np.abs(network.weights[members]))
        expected = getattr(OPTIONS.strengths, name)
        assert sums[sums > 0].mean() == pytest.approx(expected, rel=0.15), name


def test_the_four_variants_share_wiring_and_weights() -> None:
    networks = [build_recurrent_network(apply_variant(OPTIONS, name), SHAPE) for name in VARIANTS]
    assert all(other.wiring == networks[0].wiring for other in networks)
    assert all((other.weights == networks[0].weights).all() for other in networks)


def test_variants_are_heterogeneous_by_their_names() -> None:
    for name in VARIANTS:
        network = build_recurrent_network(apply_variant(OPTIONS, name), SHAPE)
        plastic = network.stdp.a_plus > 0
        heterogeneous = [
            np.ptp(network.decay_factor[:40]) > 0.1,
            np.ptp(network.stdp.a_plus[plastic]) > 0.01,
        ]
        assert heterogeneous == [part.startswith("He") for part in name.split("/")], name


def test_an_array_of_another_size_is_rejected() -> None:
    with pytest.raises(NetworkError, match=r"decay_factor: shape \(3,\), needs \(50,\)"):
        build_recurrent_network(OPTIONS, SHAPE).replace(decay_factor=np.ones(3))
