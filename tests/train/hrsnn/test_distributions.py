"""Gamma laws against scipy's own, and against distances between samples samples."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import gamma, wasserstein_distance

from pumice.train.hrsnn.distributions import GammaDistribution, wasserstein_embedding


def test_samples_have_the_mean_and_the_cv_of_their_distribution() -> None:
    samples = GammaDistribution(mean=8.0, cv=0.5).sample(200_000, np.random.default_rng(0))
    assert samples.mean() == pytest.approx(8.0, rel=0.01)
    assert samples.std() == pytest.approx(4.0, rel=0.01)


def test_quantiles_are_those_of_scipys_gamma_distribution() -> None:
    probabilities = np.array([0.1, 0.5, 0.9])
    expected = gamma(a=4.0, scale=0.5).ppf(probabilities)
    assert GammaDistribution(mean=2.0, cv=0.5).quantiles(probabilities) == pytest.approx(expected)


def test_a_homogeneous_distribution_gives_its_mean() -> None:
    distribution = GammaDistribution(mean=3.0, cv=0.7).homogeneous()
    assert distribution.sample(5, np.random.default_rng(0)).tolist() == [3.0] * 5


@pytest.mark.parametrize(("mean", "cv"), [(-1.0, 0.5), (0.0, 0.5), (1.0, -0.1)])
def test_an_invalid_distribution_is_rejected(mean: float, cv: float) -> None:
    with pytest.raises(ValidationError, match="greater than"):
        GammaDistribution(mean=mean, cv=cv)


def test_the_distance_of_homogeneous_distributions_is_that_of_their_means() -> None:
    near, far = (
        wasserstein_embedding(GammaDistribution(mean=2.0)),
        wasserstein_embedding(GammaDistribution(mean=5.0)),
    )
    assert np.linalg.norm(near - far) == pytest.approx(3.0)


def test_distances_of_embeddings_are_wasserstein_distances() -> None:
    one, other = GammaDistribution(mean=10.0, cv=0.5), GammaDistribution(mean=20.0, cv=0.5)
    probabilities = (np.arange(100_000) + 0.5) / 100_000
    exact = np.sqrt(np.mean((one.quantiles(probabilities) - other.quantiles(probabilities)) ** 2))
    distance = np.linalg.norm(wasserstein_embedding(one, 1000) - wasserstein_embedding(other, 1000))
    assert distance == pytest.approx(exact, rel=0.01)
    w1 = wasserstein_distance(one.quantiles(probabilities), other.quantiles(probabilities))
    assert distance >= w1  # W2 is at least W1
