"""Lava's learning rules against the trainer, step by step on a small network."""

from typing import Any

import numpy as np
import pytest

from pumice.deploy.lava.learning import (
    LearningGroup,
    LearningResult,
    learn_in_lava,
    learn_in_lava_fixed,
)
from pumice.runtime import Network, Population, Projection, Sparse
from pumice.runtime.plasticity import PlasticityRule, learn
from pumice.train.hrsnn import HrsnnOptions, RecurrentNetwork, build_recurrent_network
from pumice.train.hrsnn.kernels import run_batch

pytestmark = pytest.mark.lava

NEURONS, STEPS = 50, 100
TAUS = ((4.0, 7.0), (11.0, 16.0))  # plus and minus, of each group
OPTIONS = HrsnnOptions(
    excitatory=40,
    inhibitory=10,
    in_degree=8,
    input_degree=6,
    learning_rate=0.05,
    plastic=("ee",),
)
EVENTS = (np.random.default_rng(0).random((STEPS, 32)) < 0.2).astype(np.uint8)


@pytest.fixture(scope="module")
def network() -> RecurrentNetwork:
    """A heterogeneous network in float64 whose synapses take one of two pairs of constants."""
    network = build_recurrent_network(OPTIONS, (2, 4, 4), np.float64)
    slow = (np.arange(len(network.stdp.a_plus)) % 2).astype(int)
    plus, minus = (np.exp(-1 / np.array(taus))[slow] for taus in zip(*TAUS, strict=True))
    return network.replace(stdp=network.stdp._replace(decay_plus=plus, decay_minus=minus))


def matrices(network: RecurrentNetwork) -> tuple[dict[str, Any], tuple[LearningGroup, ...]]:
    """The network as Lava takes it: dense matrices, those that learn by group."""
    wiring, rule = network.wiring, network.stdp
    dense = np.zeros((4, NEURONS, 32 + NEURONS))
    span = slice(rule.first_synapse, rule.first_synapse + len(rule.a_plus))
    at = wiring.targets, wiring.sources
    dense[0][at] = network.weights
    for number, values in enumerate((rule.a_plus, rule.a_minus, rule.w_max), start=1):
        dense[number][wiring.targets[span], wiring.sources[span]] = values
    slow = np.zeros(dense[0].shape)
    slow[wiring.targets[span], wiring.sources[span]] = np.arange(len(rule.a_plus)) % 2
    weights, plus, minus, w_max = dense
    learns = plus > 0

    def group(number: int, tau_plus: float, tau_minus: float) -> LearningGroup:
        in_group = learns & (slow == number)
        of_group = [np.where(in_group, each, 0)[:, 32:] for each in (weights, plus, minus)]
        return LearningGroup(of_group[0], of_group[1], of_group[2], tau_plus, tau_minus)

    groups = tuple(group(number, *taus) for number, taus in enumerate(TAUS))
    assert np.ptp(w_max[learns]) < 1e-12
    fixed = np.where(learns, 0, weights)
    parts = {"inputs": fixed[:, :32], "fixed": fixed[:, 32:], "w_max": w_max[learns].max()}
    return parts, groups


@pytest.fixture(scope="module")
def in_lava(network: RecurrentNetwork) -> LearningResult:
    """What Lava makes of it."""
    parts, groups = matrices(network)
    decay, threshold = network.decay_factor.astype(np.float64), network.threshold.astype(np.float64)
    return learn_in_lava(EVENTS, groups=groups, decay_factor=decay, threshold=threshold, **parts)


@pytest.fixture(scope="module")
def trained(network: RecurrentNetwork) -> tuple[np.ndarray, np.ndarray]:
    """The trainer's weights and spikes after the same steps."""
    weights, spikes = np.array(network.weights), np.zeros((STEPS, 1, NEURONS), np.uint8)
    run_batch(
        network.wiring.indptr,
        network.wiring.targets,
        weights,
        network.stdp,
        network.decay_factor,
        np.array(network.threshold),
        EVENTS[:, None],
        True,
        np.full(2, 2.0),
        np.array([40, 50], np.int32),
        spikes,
        np.zeros(1, np.int64),
    )
    return weights, spikes[:, 0]


def test_lava_learns_the_same_weights_as_the_trainer(
    network: RecurrentNetwork, in_lava: LearningResult, trained: tuple[np.ndarray, np.ndarray]
) -> None:
    dense = np.zeros((NEURONS, 32 + NEURONS))
    dense[network.wiring.targets, network.wiring.sources] = trained[0]
    _, groups = matrices(network)
    for group, learned in zip(groups, in_lava.weights, strict=True):
        expected = np.where(group.a_plus > 0, dense[:, 32:], 0)
        assert np.abs(learned - expected).max() < 1e-9
        assert np.abs(learned - group.weights).max() > 0.01  # it learned


def test_lava_spikes_equal_those_of_the_trainer(
    in_lava: LearningResult, trained: tuple[np.ndarray, np.ndarray]
) -> None:
    assert trained[1].any()
    assert (in_lava.spikes == trained[1]).all()


def test_fixed_point_learning_agrees_statistically_with_the_chip_rule() -> None:
    """The same spikes change the same synapses; rounding uses other random generators."""
    random = np.random.default_rng(2)
    rows, columns = np.nonzero(random.random((NEURONS, NEURONS)) < 0.2)
    weights = random.integers(60, 180, rows.size)
    forth = np.repeat(np.arange(NEURONS), 6), random.integers(0, 32, 6 * NEURONS)
    dense = np.zeros((NEURONS, 32), int)
    dense[forth] = 200
    targets, sources = np.nonzero(dense)
    inputs = Sparse(dense[targets, sources], targets, sources, (NEURONS, 32))
    network = Network(
        (
            Population("input", (32,), "input"),
            Population("neurons", (NEURONS,), voltage_decay=700, threshold=1200),
        ),
        (
            Projection("forth", "input", "neurons", inputs),
            Projection("back", "neurons", "neurons",
                       Sparse(weights, rows, columns, (NEURONS, NEURONS)), delay=1),
        ),
    )  # fmt: skip
    rule = PlasticityRule((3000, 3900), (3200, 3800), random.integers(0, 64, (2, rows.size)))
    learned = learn_in_lava_fixed(network, "back", rule, EVENTS).weights[0][rows, columns]
    after: Any = learn(network, {"back": rule}, EVENTS[:, None]).projections[1].connection
    change = learned - weights, after.weights - weights
    assert np.abs(change[1]).mean() > 5
    assert np.corrcoef(*change)[0, 1] > 0.9
    assert abs(change[0].mean() - change[1].mean()) < 0.1 * np.abs(change[1]).mean()
