"""A Gaussian process over laws: two settings are as far apart as what would be drawn from them."""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from scipy.stats import norm

from .distributions import wasserstein_embedding
from .options import NEURON_DISTRIBUTIONS, SYNAPSE_DISTRIBUTIONS, HrsnnOptions

CANDIDATES = 512
Values = NDArray[np.float64]


class WassersteinSampler(optuna.samplers.BaseSampler):
    """Picks the trial of largest expected improvement of the first goal.

    A Matern kernel (5/2) on the embedding of each law by its quantiles, where the Euclidean
    distance is the 2-Wasserstein distance, and on all other numbers as shares of their range. The
    best of `CANDIDATES` drawn settings is taken.
    """

    def __init__(
        self, options: HrsnnOptions, ranges: Mapping[str, Any], seed: int, starting: int
    ) -> None:
        self.options, self.ranges, self.startup_trials = options, ranges, starting
        self.generator = np.random.default_rng(seed)

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        """Return the distributions of all numbers."""
        return {
            key: optuna.distributions.FloatDistribution(r.low, r.high, log=r.log)
            for key, r in self.ranges.items()
        }

    def sample_relative(self, study: Any, trial: Any, search_space: Any) -> dict[str, float]:
        """Return the next setting."""
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import Matern, WhiteKernel

        trials = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
        if len(trials) < self.startup_trials:
            return self._sample_candidate()
        places = np.array([self._embed(each.params) for each in trials])
        goals = np.array([each.values[0] for each in trials])
        centre, size = goals.mean(), max(goals.std(), 1e-9)
        kernel = Matern(length_scale=1.0, length_scale_bounds=(0.05, 50.0), nu=2.5) + WhiteKernel(
            0.05, (1e-4, 1.0)
        )
        process = GaussianProcessRegressor(kernel, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of length scales at their bounds
            process.fit(places, (goals - centre) / size)
        candidates = [self._sample_candidate() for _ in range(CANDIDATES)]
        mean, deviation = process.predict(
            np.array([self._embed(each) for each in candidates]), return_std=True
        )
        above = mean - ((goals - centre) / size).max()
        deviation = np.maximum(deviation, 1e-9)
        share = above / deviation
        improvement = above * norm.cdf(share) + deviation * norm.pdf(share)
        return candidates[int(improvement.argmax())]

    def sample_independent(self, *_: Any) -> Any:
        """Refuse: every number is sampled together with the others."""
        raise NotImplementedError

    def _sample_candidate(self) -> dict[str, float]:
        found = {}
        for key, r in self.ranges.items():
            share = self.generator.random()
            found[key] = float(
                r.low * (r.high / r.low) ** share if r.log else r.low + share * (r.high - r.low)
            )
        return found

    def _embed(self, changes: Mapping[str, float]) -> Values:
        """Return the embedding of a setting: each law in units of its range, then the others."""
        from .search import apply_overrides

        options = apply_overrides(self.options, changes)
        parts, names = [], {key.split(".")[0] for key in changes}
        for name in sorted(names & {*NEURON_DISTRIBUTIONS, *SYNAPSE_DISTRIBUTIONS}):
            reach = self.ranges.get(f"{name}.mean")
            scale = reach.high - reach.low if reach else getattr(options, name).mean
            parts.append(wasserstein_embedding(getattr(options, name)) / scale)
        rest = [
            (changes[key] - r.low) / (r.high - r.low)
            for key, r in self.ranges.items()
            if key.split(".")[0] not in (*NEURON_DISTRIBUTIONS, *SYNAPSE_DISTRIBUTIONS)
        ]
        return np.concatenate([*parts, rest])
