"""Bayesian optimisation over the parameters of laws: what is best drawn from which law.

Thousands of constants are too many to search, the laws they are drawn from are not (Chakraborty
and Mukhopadhyay, Front. Neurosci. 17:994517, 2023). A study stands in one file, a journal: a
search that was killed goes on where it stopped, and several processes may work on one study.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.storages.journal import JournalFileBackend
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ...runtime.errors import EngineError, RecipeError
from .options import HrsnnOptions

Sampler = Literal["gp", "random", "wasserstein"]
Outcome = tuple[float, float]  # accuracy on validation samples, spikes a sample
WORST_OUTCOME: Outcome = (0.0, 1e6)  # of a network whose rates run away
STARTUP_TRIALS = 10  # trials at random before a model is fitted


class Range(BaseModel):
    """Where a number is looked for: from `low` to `high`, evenly in its logarithm if `log`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _check_order(self) -> "Range":
        if not self.low < self.high or (self.log and self.low <= 0):
            raise ValueError(f"{self.low} to {self.high} is no range; needs low < high, above 0")
        return self


class SearchOptions(BaseModel):
    """Table `[search]` of a recipe: `trials`, and the `ranges` of keys such as `tau_plus.mean`.

    `sampler`: "gp" is a Gaussian process by optuna; "wasserstein" one whose distance is that of the
    laws themselves; "random" draws. Accuracy is sought high and spikes a sample low, as two goals.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    trials: int = Field(default=40, ge=1)
    sampler: Sampler = "gp"
    seed: int = Field(default=0, ge=0)
    ranges: dict[str, Range] = {
        "tau_mem_excitatory.mean": Range(low=1, high=40, log=True),
        "tau_mem_excitatory.cv": Range(low=0.05, high=1.5),
        "tau_mem_inhibitory.mean": Range(low=1, high=20, log=True),
        "tau_plus.mean": Range(low=1.5, high=20, log=True),
        "tau_minus.mean": Range(low=1.5, high=30, log=True),
        "depression.mean": Range(low=0.2, high=6, log=True),
        "target_rate": Range(low=0.01, high=0.2, log=True),
    }


@dataclass(frozen=True)
class TrialResult:
    """A trial that is done: what was tried, and what came of it."""

    number: int
    overrides: Mapping[str, float]
    accuracy: float
    spikes: float


def search(
    options: HrsnnOptions,
    settings: SearchOptions,
    objective: Callable[[HrsnnOptions], Outcome],
    file: Path,
    worker: int = 0,
) -> list[TrialResult]:
    """Try settings until the study in `file` has `settings.trials` done; return all of them.

    `judge` gives accuracy and spikes of a set of options. Trials that another process has under
    way, or that were cut off, do not count. Give each process that works beside others its own
    `worker` number, so that they draw differently. Rates that run away are a trial of no worth.
    """
    for key in settings.ranges:
        apply_overrides(options, {key: settings.ranges[key].high})
    study = _open_study(options, settings, file, worker)
    while len(completed_trials(study)) < settings.trials:
        trial = study.ask()
        changes = {
            key: trial.suggest_float(key, r.low, r.high, log=r.log)
            for key, r in settings.ranges.items()
        }
        try:
            outcome = objective(apply_overrides(options, changes))
        except EngineError:
            outcome = WORST_OUTCOME
        study.tell(trial, outcome)
    return completed_trials(study)


def _open_study(
    options: HrsnnOptions, settings: SearchOptions, file: Path, worker: int
) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    seed = settings.seed + 1000 * worker
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if settings.sampler == "wasserstein":
            from .law_sampler import WassersteinSampler

            sampler: Any = WassersteinSampler(options, settings.ranges, seed, STARTUP_TRIALS)
        elif settings.sampler == "gp":
            sampler = optuna.samplers.GPSampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
        else:
            sampler = optuna.samplers.RandomSampler(seed=seed)
        return optuna.create_study(
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(file))),
            study_name="hrsnn",
            directions=("maximize", "minimize"),
            sampler=sampler,
            load_if_exists=True,
        )


def completed_trials(study: optuna.Study) -> list[TrialResult]:
    """Return the trials of `study` that were finished, in their order."""
    trials = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    return [TrialResult(t.number, dict(t.params), *t.values) for t in trials]


def best_trial(found: list[TrialResult]) -> TrialResult:
    """Return the most accurate trial; of equals that with the fewest spikes."""
    return max(found, key=lambda each: (each.accuracy, -each.spikes))


def pareto_front(found: list[TrialResult]) -> list[TrialResult]:
    """Return the trials that no other beats in accuracy and spikes at once, by their spikes."""
    kept: list[TrialResult] = []
    for each in sorted(found, key=lambda one: (one.spikes, -one.accuracy)):
        if not kept or each.accuracy > kept[-1].accuracy:
            kept.append(each)
    return kept


def apply_overrides(options: HrsnnOptions, changes: Mapping[str, float]) -> HrsnnOptions:
    """Return `options` with numbers replaced by keys such as `tau_plus.mean`, checked again.

    Raises `RecipeError` where a key is unknown.
    """
    values = options.model_dump()
    for key, value in changes.items():
        *tables, last = key.split(".")
        table = values
        for name in tables:
            table = table.get(name, {})
        if last not in table or isinstance(table[last], dict):
            raise RecipeError(f"search.ranges: {key} is no number of [hrsnn]")
        table[last] = value
    return HrsnnOptions.model_validate(values)
