"""Bayesian optimization over the parameters of distributions.

Thousands of constants are too many to search; the distributions that they are sampled from are not
(Chakraborty and Mukhopadhyay, Front. Neurosci. 17:994517, 2023). A study is one file, a journal: an
interrupted search continues, and several processes may work on one study.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages.journal import JournalFileBackend

from ...runtime.errors import EngineError
from .law_sampler import WassersteinSampler
from .options import HrsnnOptions, apply_overrides
from .search_options import SearchOptions

Outcome = tuple[float, float]  # accuracy on validation samples, spikes per sample
WORST_OUTCOME: Outcome = (0.0, 1e6)  # of a network whose activity runs away
STARTUP_TRIALS = 10  # random trials before a model is fitted


@dataclass(frozen=True)
class TrialResult:
    """A completed trial: parameters by key, accuracy (0 to 1) and spikes per sample."""

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
    """Run trials until the study has `settings.trials` completed ones.

    Trials that another process runs, or that were interrupted, do not count. A trial whose activity
    runs away has `WORST_OUTCOME`.

    Args:
        options: Options that each trial overrides in part.
        settings: Search ranges, sampler and number of trials.
        objective: Accuracy on validation samples and spikes per sample of a set of options.
        file: Journal of the study.
        worker: Number of this process among those that work on the study, which makes their random
            numbers differ.

    Returns:
        All completed trials of the study.

    Raises:
        RecipeError: A key of `settings.ranges` is unknown.
    """
    for key in settings.ranges:
        apply_overrides(options, {key: settings.ranges[key].high})
    study = _open_study(options, settings, file, worker)
    while len(completed_trials(study)) < settings.trials:
        trial = study.ask()
        overrides = {
            key: trial.suggest_float(key, r.low, r.high, log=r.log)
            for key, r in settings.ranges.items()
        }
        try:
            outcome = objective(apply_overrides(options, overrides))
        except EngineError:
            outcome = WORST_OUTCOME
        study.tell(trial, outcome)
    return completed_trials(study)


def _open_study(
    options: HrsnnOptions, settings: SearchOptions, file: Path, worker: int
) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.create_study(
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(file))),
            study_name="hrsnn",
            directions=("maximize", "minimize"),
            sampler=_make_sampler(options, settings, settings.seed + 1000 * worker),
            load_if_exists=True,
        )


def _make_sampler(
    options: HrsnnOptions, settings: SearchOptions, seed: int
) -> optuna.samplers.BaseSampler:
    if settings.sampler == "wasserstein":
        return WassersteinSampler(options, settings.ranges, seed, STARTUP_TRIALS)
    if settings.sampler == "gp":
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=STARTUP_TRIALS)
    return optuna.samplers.RandomSampler(seed=seed)


def completed_trials(study: optuna.Study) -> list[TrialResult]:
    """Completed trials of a study, in order."""
    trials = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    return [TrialResult(t.number, dict(t.params), *t.values) for t in trials]


def best_trial(trials: list[TrialResult]) -> TrialResult:
    """The most accurate trial; of equally accurate ones that with the fewest spikes."""
    return max(trials, key=lambda trial: (trial.accuracy, -trial.spikes))


def pareto_front(trials: list[TrialResult]) -> list[TrialResult]:
    """Trials that no other dominates in accuracy and spikes, by ascending spikes."""
    front: list[TrialResult] = []
    for trial in sorted(trials, key=lambda each: (each.spikes, -each.accuracy)):
        if not front or trial.accuracy > front[-1].accuracy:
            front.append(trial)
    return front
