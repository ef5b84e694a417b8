"""STDP against its window, and against a slow sum over pairs of spikes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.train.hrsnn.options import HrsnnOptions
from pumice.train.hrsnn.stdp import StdpParams, sample_stdp_params, stdp_update, zero_traces
from pumice.train.hrsnn.wiring import PopulationSizes, Wiring

PAIRS = 40  # each an excitatory neuron that reaches one of its own
FIRST = 0.4  # weight, of at most 1


@pytest.fixture(scope="module")
def wiring() -> Wiring:
    """Excitatory neuron k reaches neuron PAIRS + k; one input reaches one inhibitory neuron."""
    sizes = PopulationSizes(1, 2 * PAIRS, 1)
    sources = np.array([0, *range(1, PAIRS + 1)])
    targets = np.array([2 * PAIRS, *range(PAIRS, 2 * PAIRS)])
    return Wiring(sizes, sources, targets, np.array([0] + [1] * PAIRS))


@pytest.fixture(scope="module")
def rule(wiring: Wiring) -> StdpParams:
    """Constants of each pair's own."""
    options = HrsnnOptions(learning_rate=0.03, plastic=("ee",))
    return sample_stdp_params(
        wiring, options, np.ones(PAIRS + 1), np.random.default_rng(0), np.float64
    )


def after(
    wiring: Wiring, rule: StdpParams, pre: NDArray[np.float64], post: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The weights of the pairs after spikes (timesteps, batch, pairs) of sources and targets."""
    weights, traces = np.full(PAIRS + 1, FIRST), zero_traces(rule, pre.shape[1])
    for sent, came in zip(pre, post, strict=True):
        neurons = np.concatenate([sent, came, np.zeros((len(sent), 1))], axis=1)
        before = np.concatenate([np.zeros((len(sent), 1)), neurons], axis=1)
        stdp_update(wiring, rule, weights, traces, before, neurons)
    assert weights[0] == FIRST  # of the input, which does not learn
    return weights[1:]


@pytest.mark.parametrize("apart", [-25, -9, -4, -1, 1, 2, 7, 31])
def test_the_window_of_each_synapse_is_its_own_exponential(
    wiring: Wiring, rule: StdpParams, apart: int
) -> None:
    """Post `apart` steps after pre: what changes is A exp(-|dt| / tau), times room or weight."""
    pre, post = np.zeros((2, 40, 1, PAIRS))
    pre[max(-apart, 0)], post[max(apart, 0)] = 1, 1
    change = after(wiring, rule, pre, post) - FIRST
    tau_plus, tau_minus = -1 / np.log(rule.decay_plus), -1 / np.log(rule.decay_minus)
    if apart > 0:
        window, found = rule.a_plus * np.exp(-apart / tau_plus), change / (1 - FIRST)
    else:
        window, found = -rule.a_minus * np.exp(apart / tau_minus), change / FIRST
    assert np.ptp(tau_plus) > 1
    np.testing.assert_allclose(found, window, rtol=0, atol=1e-12)


def slowly(
    rule: StdpParams, pre: NDArray[np.float64], post: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The same by summing over all earlier spikes at each step, a batch's changes averaged."""
    weights = np.full(PAIRS, FIRST)
    for t in range(len(pre)):
        ago = np.arange(t, -1, -1)[:, None, None]
        x = (pre[: t + 1] * rule.decay_plus**ago).sum(axis=0)
        y = (post[: t + 1] * rule.decay_minus**ago).sum(axis=0)
        change = post[t] * rule.a_plus * x * (1 - weights) - pre[t] * rule.a_minus * y * weights
        weights = np.clip(weights + change.mean(axis=0), 0, 1)
    return weights


@pytest.mark.parametrize("batch", [1, 3])
def test_trains_of_spikes_add_up_pair_by_pair(wiring: Wiring, rule: StdpParams, batch: int) -> None:
    pre, post = (np.random.default_rng(7).random((2, 60, batch, PAIRS)) < 0.3).astype(float)
    found = after(wiring, rule, pre, post)
    np.testing.assert_allclose(found, slowly(rule, pre, post), rtol=0, atol=1e-12)
    assert np.abs(found - FIRST).max() > 0.05


def test_weights_stay_within_their_bounds(wiring: Wiring, rule: StdpParams) -> None:
    strong = rule._replace(a_plus=40 * rule.a_plus, a_minus=40 * rule.a_minus)
    spikes = (np.random.default_rng(3).random((2, 200, 1, PAIRS)) < 0.5).astype(float)
    found = after(wiring, strong, *spikes)
    assert found.min() >= 0 and found.max() <= 1
    assert np.ptp(found) > 0.2
