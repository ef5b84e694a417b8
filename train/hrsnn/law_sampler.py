"""Optuna sampler: a Gaussian process on Wasserstein distances between parameter distributions."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from scipy.stats import norm

from .distributions import wasserstein_embedding
from .options import NEURON_DISTRIBUTIONS, SYNAPSE_DISTRIBUTIONS, HrsnnOptions, apply_overrides
from .search_options import Range

CANDIDATES = 512
FloatArray = NDArray[np.float64]


class WassersteinSampler(optuna.samplers.BaseSampler):
    """Sampler that maximizes the expected improvement of the first objective.

    The kernel is a Matern kernel (5/2) on the quantile embedding of each distribution, in which
    Euclidean distances are 2-Wasserstein distances, and on all other parameters as fractions of
    their range. Of `CANDIDATES` random parameter sets, the best is used.
    """

    def __init__(
        self, options: HrsnnOptions, ranges: Mapping[str, Range], seed: int, startup_trials: int
    ) -> None:
        self.options, self.ranges, self.startup_trials = options, ranges, startup_trials
        self.generator = np.random.default_rng(seed)

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        """Optuna distributions of all parameters."""
        return {
            key: optuna.distributions.FloatDistribution(r.low, r.high, log=r.log)
            for key, r in self.ranges.items()
        }

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, float]:
        """Parameters of the next trial."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import Matern, WhiteKernel

        trials = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
        if len(trials) < self.startup_trials:
            return self._sample_candidate()
        points = np.array([self._embed(each.params) for each in trials])
        values = np.array([each.values[0] for each in trials])
        values = (values - values.mean()) / max(values.std(), 1e-9)
        kernel = Matern(length_scale=1.0, length_scale_bounds=(0.05, 50.0), nu=2.5) + WhiteKernel(
            0.05, (1e-4, 1.0)
        )
        process = GaussianProcessRegressor(kernel, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about length scales at their bounds
            process.fit(points, values)
        candidates = [self._sample_candidate() for _ in range(CANDIDATES)]
        mean, deviation = process.predict(
            np.array([self._embed(each) for each in candidates]), return_std=True
        )
        return candidates[int(expected_improvement(mean, deviation, values.max()).argmax())]

    def sample_independent(self, *_: Any) -> Any:
        """Not supported: all parameters are sampled jointly."""
        raise NotImplementedError

    def _sample_candidate(self) -> dict[str, float]:
        return {key: r.at(self.generator.random()) for key, r in self.ranges.items()}

    def _embed(self, overrides: Mapping[str, float]) -> FloatArray:
        """Embedding of a parameter set: each distribution in units of its range, then the rest."""
        options = apply_overrides(self.options, overrides)
        parts, names = [], {key.split(".")[0] for key in overrides}
        for name in sorted(names & {*NEURON_DISTRIBUTIONS, *SYNAPSE_DISTRIBUTIONS}):
            mean_range = self.ranges.get(f"{name}.mean")
            distribution = getattr(options, name)
            scale = mean_range.high - mean_range.low if mean_range else distribution.mean
            parts.append(wasserstein_embedding(distribution) / scale)
        rest = [
            (overrides[key] - r.low) / (r.high - r.low)
            for key, r in self.ranges.items()
            if key.split(".")[0] not in (*NEURON_DISTRIBUTIONS, *SYNAPSE_DISTRIBUTIONS)
        ]
        return np.concatenate([*parts, rest])


def expected_improvement(mean: FloatArray, deviation: FloatArray, best: float) -> FloatArray:
    """Expected improvement over `best` of normal predictions, (candidates,)."""
    gain = mean - best
    deviation = np.maximum(deviation, 1e-9)
    z = gain / deviation
    improvement: FloatArray = gain * norm.cdf(z) + deviation * norm.pdf(z)
    return improvement
