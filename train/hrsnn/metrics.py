"""Metrics of recurrent networks: memory capacity, weights, accuracy by number of labels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .learn import simulate
from .network import RecurrentNetwork
from .readout import ReadoutKind, extract_features, fit_readout

MAX_LAG = 20
STREAMS, STEPS, WARM_UP = 12, 120, 20
PATTERN_DENSITY = 0.05  # fraction of inputs that are active in a pattern
RIDGE_PENALTY = 10.0
Labels = NDArray[np.int64]
EventArray = NDArray[np.uint8]


def normalized_weights(network: RecurrentNetwork) -> NDArray[np.floating[Any]]:
    """Weights of plastic synapses as fractions of their w_max, 0 to 1, (plastic,)."""
    stdp = network.stdp
    plastic = (stdp.a_plus > 0) | (stdp.a_minus > 0)
    weights = network.weights[stdp.first_synapse : stdp.first_synapse + len(stdp.a_plus)]
    fractions: NDArray[np.floating[Any]] = weights[plastic] / stdp.w_max[plastic]
    return fractions


def memory_capacity(network: RecurrentNetwork, seed: int = 0) -> float:
    """Memory capacity: past input bits that the spikes of a timestep encode, over lags of 1 to 20.

    At each timestep the input is one of two patterns, by a random bit. For each lag a linear
    read-out predicts the bit of that many timesteps ago; its squared correlation with the truth, on
    streams that it was not fitted to, is summed: MC = sum_k r_k^2 (Jaeger, GMD Report 152, 2001).
    """
    generator = np.random.default_rng(seed)
    patterns = (generator.random((2, *network.shape)) < PATTERN_DENSITY).astype(np.uint8)
    bits = generator.integers(0, 2, (STREAMS, STEPS))
    spikes = simulate(network, patterns[bits.T]).spikes.swapaxes(0, 1)
    fitted, tested = slice(0, STREAMS * 2 // 3), slice(STREAMS * 2 // 3, STREAMS)
    states, test_states = (
        spikes[part, WARM_UP:].reshape(-1, spikes.shape[2]).astype(np.float64)
        for part in (fitted, tested)
    )
    center = states.mean(axis=0)
    states, test_states = states - center, test_states - center
    projection = np.linalg.solve(
        states.T @ states + RIDGE_PENALTY * np.eye(states.shape[1]), states.T
    )
    capacity = 0.0
    for lag in range(1, MAX_LAG + 1):
        target, truth = (
            bits[part, WARM_UP - lag : STEPS - lag].reshape(-1) - 0.5 for part in (fitted, tested)
        )
        prediction = test_states @ (projection @ target)
        if prediction.std() > 0:
            capacity += float(np.corrcoef(prediction, truth)[0, 1] ** 2)
    return capacity


def accuracy_by_train_fraction(
    train: tuple[EventArray, Labels],
    test: tuple[EventArray, Labels],
    fractions: tuple[float, ...],
    bins: int,
    kind: ReadoutKind = "ridge",
    seed: int = 0,
) -> dict[float, float]:
    """Accuracy of the read-out fitted to a fraction of each class's training samples.

    Args:
        train: Spikes uint8 (timesteps, samples, ...) and labels (samples,) to fit to.
        test: Spikes and labels to evaluate on.
        fractions: Fractions of the training samples; of a class at least two are used.
        bins: Time bins of the features.
        kind: Kind of the read-out.
        seed: Seed of the order in which training samples are used.

    Returns:
        Accuracy (0 to 1) by fraction.
    """
    (spikes, labels), (test_spikes, truth) = train, test
    features, test_features = extract_features(spikes, bins), extract_features(test_spikes, bins)
    order = np.random.default_rng(seed).permutation(len(labels))
    members = [order[labels[order] == label] for label in np.unique(labels)]
    accuracies = {}
    for fraction in fractions:
        chosen = np.concatenate([each[: max(2, round(fraction * len(each)))] for each in members])
        readout = fit_readout(features[chosen], labels[chosen], kind)
        accuracies[fraction] = readout.accuracy(test_features, truth)
    return accuracies
