"""Gamma laws, from which every neuron and every synapse draws a constant of its own."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import gamma

Values = NDArray[np.float64]


class GammaDistribution(BaseModel):
    """A gamma law by its `mean` and its `spread`, the standard deviation as a share of the mean.

    Shape 1 / spread^2, scale mean * spread^2. A spread of 0 gives every draw the mean: that is the
    homogeneous control. Refuses a mean that is not above 0 and a negative spread.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: float = Field(gt=0)
    cv: float = Field(default=0.0, ge=0)

    def sample(self, count: int, generator: np.random.Generator) -> Values:
        """Return `count` draws, float64 (count,).

        They are quantiles of uniform numbers: laws given equal generators put all in one order.
        """
        return self.quantiles(generator.random(count))

    def quantiles(self, shares: Values) -> Values:
        """Return below which value each of `shares` (0 to 1) of the law lies."""
        if self.cv == 0:
            return np.full(len(shares), self.mean)
        shape = self.cv**-2
        values: Values = gamma.ppf(shares, shape, scale=self.mean / shape)
        return np.maximum(values, np.finfo(np.float64).tiny)

    def homogeneous(self) -> "GammaDistribution":
        """Return the law with the same mean and no spread."""
        return GammaDistribution(mean=self.mean)


def wasserstein_embedding(law: GammaDistribution, points: int = 64) -> Values:
    """Return a vector whose Euclidean distances are 2-Wasserstein distances, float64 (points,).

    Between laws on a line, W2^2 is the integral over q of the squared difference of their
    quantiles (Villani, Topics in Optimal Transportation, 2003, theorem 2.18); here its midpoint
    sum.
    """
    shares = (np.arange(points) + 0.5) / points
    vector: Values = law.quantiles(shares) / np.sqrt(points)
    return vector
