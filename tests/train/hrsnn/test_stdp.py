"""STDP against its window, and against a sum over pairs of spikes."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.train.hrsnn.options import HrsnnOptions
from pumice.train.hrsnn.stdp import StdpParams, sample_stdp_params, stdp_update, zero_traces
from pumice.train.hrsnn.wiring import PopulationSizes, Wiring

PAIRS = 40  # excitatory neurons with one synapse each
FIRST = 0.4  # initial weight; w_max is 1


@pytest.fixture(scope="module")
def wiring() -> Wiring:
    """Synapses from excitatory neuron k to PAIRS + k, and from the input to an inhibitory one."""
    sizes = PopulationSizes(1, 2 * PAIRS, 1)
    sources = np.array([0, *range(1, PAIRS + 1)])
    targets = np.array([2 * PAIRS, *range(PAIRS, 2 * PAIRS)])
    return Wiring(sizes, sources, targets, np.array([0] + [1] * PAIRS))


@pytest.fixture(scope="module")
def stdp(wiring: Wiring) -> StdpParams:
    """Constants sampled per pair."""
    options = HrsnnOptions(learning_rate=0.03, plastic=("ee",))
    return sample_stdp_params(
        wiring, options, np.ones(PAIRS + 1), np.random.default_rng(0), np.float64
    )


def run_stdp(
    wiring: Wiring, stdp: StdpParams, pre: NDArray[np.float64], post: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights of the pairs after spikes (timesteps, batch, pairs) of sources and targets."""
    weights, traces = np.full(PAIRS + 1, FIRST), zero_traces(stdp, pre.shape[1])
    for pre_spikes, post_spikes in zip(pre, post, strict=True):
        neurons = np.concatenate([pre_spikes, post_spikes, np.zeros((len(pre_spikes), 1))], axis=1)
        sources = np.concatenate([np.zeros((len(pre_spikes), 1)), neurons], axis=1)
        stdp_update(wiring, stdp, weights, traces, sources, neurons)
    assert weights[0] == FIRST  # of the input, which does not learn
    return weights[1:]


@pytest.mark.parametrize("dt", [-25, -9, -4, -1, 1, 2, 7, 31])
def test_each_synapse_has_its_exponential_window(wiring: Wiring, stdp: StdpParams, dt: int) -> None:
    """Post `dt` steps after pre: a change of A exp(-|dt| / tau) times the distance to the bound."""
    pre, post = np.zeros((2, 40, 1, PAIRS))
    pre[max(-dt, 0)], post[max(dt, 0)] = 1, 1
    change = run_stdp(wiring, stdp, pre, post) - FIRST
    tau_plus, tau_minus = -1 / np.log(stdp.decay_plus), -1 / np.log(stdp.decay_minus)
    if dt > 0:
        window, result = stdp.a_plus * np.exp(-dt / tau_plus), change / (1 - FIRST)
    else:
        window, result = -stdp.a_minus * np.exp(dt / tau_minus), change / FIRST
    assert np.ptp(tau_plus) > 1
    np.testing.assert_allclose(result, window, rtol=0, atol=1e-12)


def sum_over_pairs(
    stdp: StdpParams, pre: NDArray[np.float64], post: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Weights by a sum over all earlier spikes at each step, averaged over the batch."""
    weights = np.full(PAIRS, FIRST)
    for t in range(len(pre)):
        lag = np.arange(t, -1, -1)[:, None, None]
        x = (pre[: t + 1] * stdp.decay_plus**lag).sum(axis=0)
        y = (post[: t + 1] * stdp.decay_minus**lag).sum(axis=0)
        change = post[t] * stdp.a_plus * x * (1 - weights) - pre[t] * stdp.a_minus * y * weights
        weights = np.clip(weights + change.mean(axis=0), 0, 1)
    return weights


@pytest.mark.parametrize("batch", [1, 3])
def test_spike_trains_add_up_over_pairs(wiring: Wiring, stdp: StdpParams, batch: int) -> None:
    pre, post = (np.random.default_rng(7).random((2, 60, batch, PAIRS)) < 0.3).astype(float)
    result = run_stdp(wiring, stdp, pre, post)
    np.testing.assert_allclose(result, sum_over_pairs(stdp, pre, post), rtol=0, atol=1e-12)
    assert np.abs(result - FIRST).max() > 0.05


def test_weights_stay_in_bounds(wiring: Wiring, stdp: StdpParams) -> None:
    unbounded = stdp._replace(a_plus=40 * stdp.a_plus, a_minus=40 * stdp.a_minus)
    spikes = (np.random.default_rng(3).random((2, 200, 1, PAIRS)) < 0.5).astype(float)
    result = run_stdp(wiring, unbounded, *spikes)
    assert result.min() >= 0 and result.max() <= 1
    assert np.ptp(result) > 0.2
