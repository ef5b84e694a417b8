"""Gamma laws against scipy's own, and against distances between drawn samples."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import gamma, wasserstein_distance

from pumice.train.hrsnn.distributions import GammaDistribution, wasserstein_embedding


def test_draws_have_the_mean_and_the_spread_of_their_law() -> None:
    drawn = GammaDistribution(mean=8.0, cv=0.5).sample(200_000, np.random.default_rng(0))
    assert drawn.mean() == pytest.approx(8.0, rel=0.01)
    assert drawn.std() == pytest.approx(4.0, rel=0.01)


def test_quantiles_are_those_of_the_gamma_law() -> None:
    shares = np.array([0.1, 0.5, 0.9])
    expected = gamma(a=4.0, scale=0.5).ppf(shares)
    assert GammaDistribution(mean=2.0, cv=0.5).quantiles(shares) == pytest.approx(expected)


def test_a_law_without_spread_gives_its_mean() -> None:
    law = GammaDistribution(mean=3.0, cv=0.7).homogeneous()
    assert law.sample(5, np.random.default_rng(0)).tolist() == [3.0] * 5


@pytest.mark.parametrize(("mean", "spread"), [(-1.0, 0.5), (0.0, 0.5), (1.0, -0.1)])
def test_a_law_that_cannot_be_is_refused(mean: float, spread: float) -> None:
    with pytest.raises(ValidationError, match="greater than"):
        GammaDistribution(mean=mean, cv=spread)


def test_the_embedding_of_shifted_laws_is_as_far_apart_as_their_means() -> None:
    near, far = (
        wasserstein_embedding(GammaDistribution(mean=2.0)),
        wasserstein_embedding(GammaDistribution(mean=5.0)),
    )
    assert np.linalg.norm(near - far) == pytest.approx(3.0)


def test_distances_of_embeddings_are_wasserstein_distances() -> None:
    one, other = GammaDistribution(mean=10.0, cv=0.5), GammaDistribution(mean=20.0, cv=0.5)
    shares = (np.arange(100_000) + 0.5) / 100_000
    exact = np.sqrt(np.mean((one.quantiles(shares) - other.quantiles(shares)) ** 2))
    found = np.linalg.norm(wasserstein_embedding(one, 1000) - wasserstein_embedding(other, 1000))
    assert found == pytest.approx(exact, rel=0.01)
    first = wasserstein_distance(one.quantiles(shares), other.quantiles(shares))
    assert found >= first  # W2 is never below W1
