"""Means and paired differences over seeds and samples, with confidence intervals.

Scores have two axes: runs (seeds) and test samples, which all runs share. Both are drawn at random,
from all runs and all samples that there might have been, so that a mean d over S runs and N samples
has the variance

    Var(d) = Var_runs / S + Var_samples / N + Var_rest / (S N)

which the mean squares of the two-way analysis of variance estimate without bias:

    (MS_runs + MS_samples - MS_rest) / (S N)

and never less than any one of the mean squares divided by S N. Quantiles are those of the t
distribution with Satterthwaite's degrees of freedom. With a single run, the interval covers the
samples alone. Differences are paired: subtract scores of the same seeds and samples first. Folds of
cross-validation are blocks, independent of each other, and their means are weighted by their
samples.

F. E. Satterthwaite, "An approximate distribution of estimates of variance components", Biometrics
Bulletin 2 (1946); for classifiers, R. L. Brennan, "Generalizability Theory"
(2001), chapter 4, on two crossed random facets.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

LEVEL = 0.95
Scores = NDArray[np.float64]  # (runs, samples)


@dataclass(frozen=True)
class Estimate:
    """A mean and its confidence interval.

    Attributes:
        mean: Mean over runs and samples.
        low: Lower end of the interval.
        high: Upper end.
        standard_error: Standard error of the mean.
        runs: Number of runs; with 1 the interval leaves out how runs differ.
        samples: Number of samples.
    """

    mean: float
    low: float
    high: float
    standard_error: float
    runs: int
    samples: int

    @property
    def half_width(self) -> float:
        """Half of the width of the interval."""
        return (self.high - self.low) / 2

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.half_width:.2f}"

    def format_signed(self) -> str:
        """Format with the sign of the mean, for differences."""
        return f"{self.mean:+.2f} ± {self.half_width:.2f}"


def estimate(scores: Scores | Sequence[Scores], level: float = LEVEL) -> Estimate:
    """Mean of scores or of paired differences, with its confidence interval.

    Args:
        scores: Array (runs, samples); or, of cross-validation, one for each fold, of the same runs.
            One sample per run, (runs, 1), holds values that have no samples, such as an error rate.
        level: Probability that the interval covers the mean.

    Raises:
        ValueError: An array has other axes, or there is a single value, which has no error.
    """
    blocks = [np.asarray(block, np.float64) for block in _as_blocks(scores)]
    if not blocks or any(block.ndim != 2 or block.size < 2 for block in blocks):
        shapes = [block.shape for block in blocks]
        raise ValueError(f"scores: shapes {shapes}, needs (runs, samples) with two values or more")
    samples = sum(block.shape[1] for block in blocks)
    weights = [block.shape[1] / samples for block in blocks]
    terms = [term for w, block in zip(weights, blocks, strict=True) for term in _terms(block, w)]
    mean = sum(w * float(block.mean()) for w, block in zip(weights, blocks, strict=True))
    variance = sum(term.variance for term in terms)
    squares = sum(term.variance**2 / term.freedom for term in terms)
    error = max(variance, 0.0) ** 0.5
    freedom = variance**2 / squares if squares else 1.0
    half = error * float(stdtrit(freedom, (1 + level) / 2))
    return Estimate(mean, mean - half, mean + half, error, min(map(len, blocks)), samples)


def paired_difference(
    first: Scores | Sequence[Scores], second: Scores | Sequence[Scores], level: float = LEVEL
) -> Estimate:
    """Mean of `first` minus `second`, the same runs and samples of both; see `estimate`."""
    pairs = zip(_as_blocks(first), _as_blocks(second), strict=True)
    return estimate(
        [np.asarray(a, np.float64) - np.asarray(b, np.float64) for a, b in pairs], level
    )


@dataclass(frozen=True)
class _Term:
    """A mean square's contribution to the variance of the mean, and its degrees of freedom."""

    variance: float
    freedom: float


def _as_blocks(scores: Scores | Sequence[Scores]) -> Sequence[Scores]:
    return [scores] if isinstance(scores, np.ndarray) else scores


def _terms(block: Scores, weight: float) -> list[_Term]:
    """Contributions of a block, whose mean has the given weight, to the variance."""
    runs, samples = block.shape
    scale = weight**2 / block.size
    if runs == 1 or samples == 1:
        return [_Term(scale * float(block.var(ddof=1)), block.size - 1)]
    mean, by_run, by_sample = block.mean(), block.mean(axis=1), block.mean(axis=0)
    rest = block - by_run[:, None] - by_sample + mean
    freedom = runs - 1, samples - 1, (runs - 1) * (samples - 1)
    between_runs = samples * float(((by_run - mean) ** 2).sum()) / freedom[0]
    between_samples = runs * float(((by_sample - mean) ** 2).sum()) / freedom[1]
    residual = float((rest**2).sum()) / freedom[2]
    largest = max(between_runs, between_samples, residual)
    squares: tuple[float, ...] = (between_runs, between_samples, -residual)
    if sum(squares) < largest:  # a component of variance is estimated below 0
        one = (between_runs, between_samples, residual).index(largest)
        squares = tuple(largest if k == one else 0.0 for k in range(3))
    return [_Term(scale * each, df) for each, df in zip(squares, freedom, strict=True) if each]
