"""Sweep: search settings of a recipe by validation accuracy, with optuna.

A study is one file, a journal: an interrupted sweep continues, and several processes may work on
one study.
"""

import json
import multiprocessing
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import optuna
import torch
from optuna.storages.journal import JournalFileBackend

from ...runtime.errors import FileError
from ...runtime.files import atomic_write
from ..data import Dataset, train_val_split
from ..evaluation.evaluate import model_accuracy
from ..recipes.dataset import load_recipe_dataset
from ..recipes.loader import Name, load_recipe
from ..recipes.recipe import Recipe
from ..recipes.sweep_space import Parameter
from .fit import train_recipe
from .run_folder import make_run_folder

JOURNAL_FILE = "sweep.journal"
STARTUP_TRIALS = 10  # random trials before a model is fitted


@dataclass(frozen=True)
class SweepTrial:
    """A completed trial: its settings and the validation accuracy for each seed, 0 to 1."""

    number: int
    settings: tuple[str, ...]
    accuracies: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean validation accuracy."""
        return fmean(self.accuracies)

    @property
    def deviation(self) -> float | None:
        """Standard deviation over the seeds; None for one seed."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else None


@dataclass(frozen=True)
class Sweep:
    """A sweep: a recipe with overrides, parameters to search, seeds of each trial, and length."""

    recipe: Name
    overrides: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    seeds: tuple[int, ...] = (0,)
    trials: int = 20

    def load(self, settings: Sequence[str] = (), seed: int = 0) -> Recipe:
        """Load the recipe with the settings of a trial."""
        return load_recipe(self.recipe, [*self.overrides, *settings, f"training.seed={seed}"])


def run_sweep(
    sweep: Sweep,
    folder: Path,
    worker: int = 0,
    on_trial: Callable[[SweepTrial], None] | None = None,
    workers: int = 1,
) -> list[SweepTrial]:
    """Run trials until the study in `folder` has `sweep.trials` completed ones.

    Args:
        sweep: Recipe, parameters and seeds.
        folder: Folder of the study; several processes may share it.
        worker: Index of this process, which makes random numbers differ.
        on_trial: Called after each trial; of several workers, in their processes.
        workers: Number of processes that work on the study: this one, and others that it starts.
            They share the cores.

    Returns:
        All completed trials of the study, the best first.

    Raises:
        FileError: `folder` cannot be written or holds another sweep.
    """
    make_run_folder(folder)
    _check_same_sweep(sweep, folder)
    begin = datetime.now()
    if workers > 1:
        _run_workers(sweep, folder, worker, on_trial, workers, begin)
    study = _open_study(folder / JOURNAL_FILE, worker)
    _run_trials(sweep, study, on_trial)
    return sorted(_completed_trials(study), key=lambda each: -each.mean)


def _run_workers(
    sweep: Sweep,
    folder: Path,
    worker: int,
    on_trial: Callable[[SweepTrial], None] | None,
    workers: int,
    begin: datetime,
) -> None:
    """Start further processes, run trials beside them, and wait until they have none left."""
    threads = max((os.cpu_count() or 1) // workers, 1)
    _open_study(folder / JOURNAL_FILE, worker)  # creates it, before several would
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(
            target=_work, args=(sweep, folder, index, on_trial, threads, begin), daemon=True
        )
        for index in range(worker + 1, worker + workers)
    ]
    for process in processes:
        process.start()
    before = torch.get_num_threads()
    try:
        _work(sweep, folder, worker, on_trial, threads, begin)
        for process in processes:
            process.join()
    finally:
        torch.set_num_threads(before)
        for process in processes:
            process.terminate()
            process.join()


def _work(
    sweep: Sweep,
    folder: Path,
    worker: int,
    on_trial: Callable[[SweepTrial], None] | None,
    threads: int,
    begin: datetime,
) -> None:
    torch.set_num_threads(threads)
    _run_trials(sweep, _open_study(folder / JOURNAL_FILE, worker), on_trial, begin)


def _run_trials(
    sweep: Sweep,
    study: optuna.Study,
    on_trial: Callable[[SweepTrial], None] | None,
    running_since: datetime | None = None,
) -> None:
    """Run trials until there are enough, counting those that others began at `running_since`."""
    data: Dataset | None = None
    parent = multiprocessing.parent_process()
    while _count_trials(study, running_since) < sweep.trials and not (
        parent and not parent.is_alive()
    ):
        trial = study.ask()
        settings = tuple(f"{p.key}={_suggest(trial, p)}" for p in sweep.parameters)
        recipes = [sweep.load(settings, seed) for seed in sweep.seeds]
        if data is None or any(p.key.startswith("data.") for p in sweep.parameters):
            data = load_recipe_dataset(recipes[0])
        accuracies = [_validation_accuracy(recipe, data) for recipe in recipes]
        trial.set_user_attr("settings", list(settings))
        trial.set_user_attr("accuracies", accuracies)
        study.tell(trial, fmean(accuracies))
        if on_trial:
            on_trial(SweepTrial(trial.number, settings, tuple(accuracies)))


def _count_trials(study: optuna.Study, running_since: datetime | None) -> int:
    """Count completed trials, and those that run since `running_since` or later."""
    states = [optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.RUNNING]
    trials = study.get_trials(deepcopy=False, states=states[: 1 if running_since is None else 2])
    return sum(
        trial.state == states[0]
        or bool(running_since and trial.datetime_start and trial.datetime_start >= running_since)
        for trial in trials
    )


def _validation_accuracy(recipe: Recipe, data: Dataset) -> float:
    training = recipe.training
    _, validation = train_val_split(data, training.validation_per_class, training.seed)
    assert validation is not None
    with TemporaryDirectory(prefix="pumice-sweep-") as folder:
        trained = train_recipe(recipe, data, Path(folder))
    return float(model_accuracy(trained.network, validation, bool(training.qat_epochs))[-1])


def _suggest(trial: optuna.Trial, parameter: Parameter) -> Any:
    if parameter.choices:
        return trial.suggest_categorical(parameter.key, parameter.choices)
    if parameter.is_integer:
        low, high = int(parameter.low), int(parameter.high)
        return trial.suggest_int(parameter.key, low, high, log=parameter.log)
    value = trial.suggest_float(parameter.key, parameter.low, parameter.high, log=parameter.log)
    return min(max(float(f"{value:.3g}"), parameter.low), parameter.high)


def _open_study(file: Path, worker: int) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.create_study(
            storage=optuna.storages.JournalStorage(JournalFileBackend(str(file))),
            study_name="sweep",
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=worker, n_startup_trials=STARTUP_TRIALS),
            load_if_exists=True,
        )


def _completed_trials(study: optuna.Study) -> list[SweepTrial]:
    trials = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.COMPLETE])
    return [
        SweepTrial(t.number, tuple(t.user_attrs["settings"]), tuple(t.user_attrs["accuracies"]))
        for t in trials
    ]


def _check_same_sweep(sweep: Sweep, folder: Path) -> None:
    """Write the description of a sweep, or raise `FileError` where the folder holds another."""
    description = {
        "recipe": sweep.load().model_dump(mode="json"),
        "parameters": [[p.key, *p.examples, p.log] for p in sweep.parameters],
        "seeds": list(sweep.seeds),
    }
    text, file = json.dumps(description, indent=2), folder / "sweep.json"
    if file.exists():
        if file.read_text(encoding="utf-8") != text:
            raise FileError(f"{folder}: holds another sweep; choose another folder with -o")
        return
    with atomic_write(file) as temporary:
        temporary.write_text(text, encoding="utf-8")
