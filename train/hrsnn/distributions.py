"""Gamma distributions of time constants and STDP amplitudes, and their Wasserstein embedding."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...runtime.config import Options

FloatArray = NDArray[np.float64]


class GammaDistribution(Options):
    """Gamma distribution by its mean and its coefficient of variation.

    - `mean`: mean, above 0.
    - `cv`: coefficient of variation; with 0 every sample is the mean, the homogeneous control.

    Shape 1 / cv^2, scale mean * cv^2.
    """

    mean: float = Field(gt=0)
    cv: float = Field(default=0.0, ge=0)

    def sample(self, count: int, generator: np.random.Generator) -> FloatArray:
        """Draw `count` samples, float64 (count,).

        They are quantiles of uniform numbers: with equal generators, the samples of all
        distributions have one order.
        """
        return self.quantiles(generator.random(count))

    def quantiles(self, probabilities: FloatArray) -> FloatArray:
        """Quantile function (inverse CDF) at `probabilities`, 0 to 1."""
        if self.cv == 0:
            return np.full(len(probabilities), self.mean)
        from scipy.stats import gamma  # takes a second; recipes do without

        shape = self.cv**-2
        values: FloatArray = gamma.ppf(probabilities, shape, scale=self.mean / shape)
        return np.maximum(values, np.finfo(np.float64).tiny)

    def homogeneous(self) -> "GammaDistribution":
        """The distribution of the same mean with a `cv` of 0."""
        return GammaDistribution(mean=self.mean)


def wasserstein_embedding(distribution: GammaDistribution, points: int = 64) -> FloatArray:
    """Embed a distribution so that Euclidean are 2-Wasserstein distances, float64 (points,).

    In one dimension, W2^2 is the integral over q of the squared difference of the quantiles
    (Villani, Topics in Optimal Transportation, 2003, theorem 2.18); here its midpoint sum.
    """
    probabilities = (np.arange(points) + 0.5) / points
    vector: FloatArray = distribution.quantiles(probabilities) / np.sqrt(points)
    return vector
