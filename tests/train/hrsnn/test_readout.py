"""Features against numbers worked by hand, read-outs on separable data and on noise."""

import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.hrsnn import extract_features, fit_readout
from pumice.train.hrsnn.readout import ReadoutKind


def test_features_are_counts_in_time_bins_and_a_final_trace() -> None:
    spikes = np.array([[[1, 0]], [[1, 0]], [[0, 1]], [[1, 1]]], np.uint8)
    features = extract_features(spikes, bins=2)
    trace = [0.2 * (1 + 0.8**2 + 0.8**3), 0.2 * (1 + 0.8)]
    assert features == pytest.approx(np.array([[2, 0, 1, 2, *trace]]))


def test_more_bins_than_timesteps_are_rejected() -> None:
    with pytest.raises(DataError, match="bins is 5, but 4 timesteps are read"):
        extract_features(np.zeros((4, 1, 2), np.uint8), 5)


@pytest.mark.parametrize("kind", ["ridge", "logistic"])
def test_accuracy_is_high_on_informative_features_and_at_chance_on_noise(kind: ReadoutKind) -> None:
    generator = np.random.default_rng(0)
    labels = np.arange(90) % 3
    noise = generator.normal(size=(90, 4)).astype(np.float32)
    informative = noise + 3 * np.eye(3, 4, dtype=np.float32)[labels]
    assert (
        fit_readout(informative[:60], labels[:60], kind).accuracy(informative[60:], labels[60:])
        > 0.9
    )
    assert fit_readout(noise[:60], labels[:60], kind).accuracy(noise[60:], labels[60:]) < 0.7
