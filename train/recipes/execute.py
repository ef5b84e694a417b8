"""Carry out planned training runs: load the data, train, and evaluate on the test samples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from ..data import Dataset
from ..engine.callbacks import EpochFunction
from ..engine.checkpoint import TrainedModel
from ..engine.fit import train_recipe
from ..evaluation.run_summary import RunSummary, summarize_run
from .dataset import load_recipe_dataset
from .plan import RunPlan


@dataclass(frozen=True)
class CompletedRun:
    """A run with its trained model and its evaluation."""

    plan: RunPlan
    trained: TrainedModel
    summary: RunSummary

    def to_dict(self) -> dict[str, Any]:
        """JSON values: folder, provenance and evaluation."""
        provenance = self.trained.provenance
        test = self.summary.to_dict()
        return {"run": str(self.plan.folder), "provenance": provenance, "test": test}


@dataclass(frozen=True)
class SeedStatistics:
    """Mean and standard deviation over runs that differ in their seed.

    Of the test accuracy, or the mean absolute error of a regression.

    Attributes:
        means: Mean accuracy after each timestep by curve, "float" and perhaps "integer".
        deviations: Standard deviation, likewise; None for a single run.
    """

    means: dict[str, tuple[float, ...]]
    deviations: dict[str, tuple[float, ...]] | None


def execute_run(
    plan: RunPlan,
    progress: bool = False,
    on_epoch: EpochFunction | None = None,
    data: Dataset | None = None,
) -> CompletedRun:
    """Train as planned and evaluate on the test samples.

    Args:
        plan: Recipe and folder.
        progress: Show a progress bar.
        on_epoch: Called after each epoch; see `train_recipe`.
        data: Dataset of the recipe, if it is loaded already.
    """
    data = data or load_recipe_dataset(plan.recipe)
    trained = train_recipe(plan.recipe, data, plan.folder, plan.resume, progress, on_epoch=on_epoch)
    return CompletedRun(plan, trained, summarize_run(trained, data))


def execute_runs(
    plans: Sequence[RunPlan],
    data: Dataset | None = None,
    progress: bool = False,
    on_epoch: EpochFunction | None = None,
    on_run: Callable[[RunPlan], None] | None = None,
) -> list[CompletedRun]:
    """Carry out runs on one dataset, one after another; `on_run` is called before each.

    `data` is that of the recipes, if it is loaded already.
    """
    data = data or load_recipe_dataset(plans[0].recipe)
    completed = []
    for plan in plans:
        if on_run:
            on_run(plan)
        completed.append(execute_run(plan, progress, on_epoch, data))
    return completed


def seed_statistics(runs: Sequence[CompletedRun]) -> SeedStatistics:
    """Mean and standard deviation over runs, at each timestep."""
    each = [run.summary.curves for run in runs]
    common = [name for name in each[0] if all(name in curves for curves in each)]
    curves = {name: [values[name] for values in each] for name in common}
    steps = {name: list(zip(*values, strict=True)) for name, values in curves.items()}
    means = {name: tuple(map(fmean, values)) for name, values in steps.items()}
    if len(runs) < 2:
        return SeedStatistics(means, None)
    return SeedStatistics(means, {n: tuple(map(stdev, values)) for n, values in steps.items()})
