"""Options of the search: table `[search]` of an HRSNN recipe."""

from typing import Literal

from pydantic import Field, model_validator

from ...runtime.config import Options

Sampler = Literal["gp", "random", "wasserstein"]


class Range(Options):
    """Search range of a parameter.

    - `low`: lower bound.
    - `high`: upper bound.
    - `log`: sample uniformly in the logarithm.
    """

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _check_order(self) -> "Range":
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"{self.low} to {self.high} is no range; needs low < high, above 0")
        return self

    def at(self, fraction: float) -> float:
        """Value at a fraction of the range, 0 to 1."""
        if self.log:
            return float(self.low * (self.high / self.low) ** fraction)
        return float(self.low + fraction * (self.high - self.low))


class SearchOptions(Options):
    """Bayesian optimization of parameters of `[hrsnn]`.

    - `trials`: number of trials.
    - `sampler`: "gp" is optuna's Gaussian process, "wasserstein" a Gaussian process on Wasserstein
      distances between distributions, "random" random search. The objectives are high accuracy and
      few spikes per sample.
    - `seed`: seed of the sampler.
    - `ranges`: search ranges of keys such as `tau_plus.mean`.
    """

    trials: int = Field(default=40, ge=1)
    sampler: Sampler = "gp"
    seed: int = Field(default=0, ge=0)
    ranges: dict[str, Range] = {
        "tau_mem_excitatory.mean": Range(low=1, high=80, log=True),
        "tau_mem_excitatory.cv": Range(low=0.05, high=1.5),
        "tau_mem_inhibitory.mean": Range(low=1, high=40, log=True),
        "tau_plus.mean": Range(low=1.5, high=20, log=True),
        "tau_minus.mean": Range(low=1.5, high=30, log=True),
        "depression.mean": Range(low=0.2, high=6, log=True),
        "target_excitatory": Range(low=0.01, high=0.2, log=True),
        "target_inhibitory": Range(low=0.01, high=0.4, log=True),
    }
