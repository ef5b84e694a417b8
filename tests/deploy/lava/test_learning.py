"""Lava's learning rules beside the trainer, step by step on a small network."""

from typing import Any

import numpy as np
import pytest

from pumice.deploy.lava.learning import Learned, LearningGroup, learn_in_lava
from pumice.train.hrsnn import HrsnnOptions, RecurrentNetwork, built
from pumice.train.hrsnn.kernels import advance

pytestmark = pytest.mark.lava

NEURONS, STEPS = 50, 100
TAUS = ((4.0, 7.0), (11.0, 16.0))  # plus and minus, of each group
OPTIONS = HrsnnOptions(
    excitatory=40,
    inhibitory=10,
    in_degree=8,
    input_degree=6,
    rate=0.05,
    plastic=("ee",),
)
EVENTS = (np.random.default_rng(0).random((STEPS, 32)) < 0.2).astype(np.uint8)


@pytest.fixture(scope="module")
def network() -> RecurrentNetwork:
    """A heterogeneous network in float64 whose synapses take one of two pairs of constants."""
    made = built(OPTIONS, (2, 4, 4), np.float64)
    slow = (np.arange(len(made.rule.plus)) % 2).astype(int)
    plus, minus = (np.exp(-1 / np.array(taus))[slow] for taus in zip(*TAUS, strict=True))
    return made.changed(rule=made.rule._replace(kept_plus=plus, kept_minus=minus))


def matrices(network: RecurrentNetwork) -> tuple[dict[str, Any], tuple[LearningGroup, ...]]:
    """The network as Lava takes it: dense matrices, those that learn by group."""
    wiring, rule = network.wiring, network.rule
    dense = np.zeros((4, NEURONS, 32 + NEURONS))
    span = slice(rule.offset, rule.offset + len(rule.plus))
    at = wiring.targets, wiring.sources
    dense[0][at] = network.weights
    for number, values in enumerate((rule.plus, rule.minus, rule.most), start=1):
        dense[number][wiring.targets[span], wiring.sources[span]] = values
    slow = np.zeros(dense[0].shape)
    slow[wiring.targets[span], wiring.sources[span]] = np.arange(len(rule.plus)) % 2
    weights, plus, minus, most = dense
    learns = plus > 0
    groups = tuple(
        LearningGroup(
            *(np.where(learns & (slow == k), each, 0)[:, 32:] for each in (weights, plus, minus)),
            *taus,
        )
        for k, taus in enumerate(TAUS)
    )
    assert np.ptp(most[learns]) < 1e-12
    fixed = np.where(learns, 0, weights)
    parts = {"inputs": fixed[:, :32], "fixed": fixed[:, 32:], "most": most[learns].max()}
    return parts, groups


@pytest.fixture(scope="module")
def in_lava(network: RecurrentNetwork) -> Learned:
    """What Lava makes of it."""
    parts, groups = matrices(network)
    return learn_in_lava(
        EVENTS, groups=groups, kept=network.kept, threshold=network.threshold, **parts
    )


@pytest.fixture(scope="module")
def trained(network: RecurrentNetwork) -> tuple[np.ndarray, np.ndarray]:
    """The trainer's weights and spikes after the same steps."""
    weights, spikes = np.array(network.weights), np.zeros((STEPS, 1, NEURONS), np.uint8)
    advance(
        network.wiring.starts,
        network.wiring.targets,
        weights,
        network.rule,
        network.kept,
        np.array(network.threshold),
        EVENTS[:, None],
        True,
        np.full(2, 2.0),
        np.array([40, 50], np.int32),
        spikes,
        np.zeros(1, np.int64),
    )
    return weights, spikes[:, 0]


def test_lava_learns_the_weights_of_the_trainer(
    network: RecurrentNetwork, in_lava: Learned, trained: tuple[np.ndarray, np.ndarray]
) -> None:
    dense = np.zeros((NEURONS, 32 + NEURONS))
    dense[network.wiring.targets, network.wiring.sources] = trained[0]
    _, groups = matrices(network)
    for group, found in zip(groups, in_lava.weights, strict=True):
        expected = np.where(group.plus > 0, dense[:, 32:], 0)
        assert np.abs(found - expected).max() < 1e-9
        assert np.abs(found - group.weights).max() > 0.01  # it learned


def test_lava_fires_as_the_trainer_does(
    in_lava: Learned, trained: tuple[np.ndarray, np.ndarray]
) -> None:
    assert trained[1].any()
    assert (in_lava.spikes == trained[1]).all()
