"""What is measured of a network beside its accuracy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .learn import simulate
from .network import RecurrentNetwork
from .readout import ReadoutKind, extract_features, fit_readout

MAX_LAG = 20
STREAMS, STEPS, WARM_UP = 12, 120, 20
PATTERN_DENSITY = 0.05  # of the inputs that one of the two patterns excites
RIDGE_PENALTY = 10.0
Labels = NDArray[np.int64]
Frames = NDArray[np.uint8]


def normalized_weights(network: RecurrentNetwork) -> NDArray[np.floating[Any]]:
    """Return the weights that learn as shares of their w_max, 0 to 1, (plastic,)."""
    rule = network.stdp
    learns = (rule.a_plus > 0) | (rule.a_minus > 0)
    weights = network.weights[rule.first_synapse : rule.first_synapse + len(rule.a_plus)]
    shares: NDArray[np.floating[Any]] = weights[learns] / rule.w_max[learns]
    return shares


def memory_capacity(network: RecurrentNetwork, seed: int = 0) -> float:
    """Return how many past bits the spikes of one step tell, summed over lags of 1 to 20 steps.

    At each step the input shows one of two patterns, by a random bit. For each lag a linear
    read-out guesses the bit that was shown so long ago; its squared correlation with the truth, on
    streams it was not fitted to, is summed: MC = sum_k r_k^2 (Jaeger, GMD Report 152, 2001).
    """
    generator = np.random.default_rng(seed)
    patterns = (generator.random((2, *network.shape)) < PATTERN_DENSITY).astype(np.uint8)
    bits = generator.integers(0, 2, (STREAMS, STEPS))
    spikes = simulate(network, patterns[bits.T]).spikes.swapaxes(0, 1)
    fitted, judged = slice(0, STREAMS * 2 // 3), slice(STREAMS * 2 // 3, STREAMS)
    states, others = (
        spikes[part, WARM_UP:].reshape(-1, spikes.shape[2]).astype(np.float64)
        for part in (fitted, judged)
    )
    centre = states.mean(axis=0)
    states, others = states - centre, others - centre
    solved = np.linalg.solve(states.T @ states + RIDGE_PENALTY * np.eye(states.shape[1]), states.T)
    capacity = 0.0
    for lag in range(1, MAX_LAG + 1):
        wanted, truth = (
            bits[part, WARM_UP - lag : STEPS - lag].reshape(-1) - 0.5 for part in (fitted, judged)
        )
        guess = others @ (solved @ wanted)
        if guess.std() > 0:
            capacity += float(np.corrcoef(guess, truth)[0, 1] ** 2)
    return capacity


def accuracy_by_train_fraction(
    train: tuple[Frames, Labels],
    test: tuple[Frames, Labels],
    fractions: tuple[float, ...],
    bins: int,
    kind: ReadoutKind = "ridge",
    seed: int = 0,
) -> dict[float, float]:
    """Return the read-out's accuracy when it is fitted to a share of each class's samples.

    `train`, `test`: spikes uint8 (timesteps, samples, ...) and labels. At least two samples of a
    class are taken.
    """
    (spikes, labels), (others, truth) = train, test
    given, judged = extract_features(spikes, bins), extract_features(others, bins)
    order = np.random.default_rng(seed).permutation(len(labels))
    found = {}
    for share in fractions:
        chosen = np.concatenate(
            [
                of[: max(2, round(share * len(of)))]
                for of in (order[labels[order] == label] for label in np.unique(labels))
            ]
        )
        found[share] = fit_readout(given[chosen], labels[chosen], kind).accuracy(judged, truth)
    return found
