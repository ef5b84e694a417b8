"""`pumice train`: train a network by a recipe."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .options import DataFolder, Epochs, Json, Overrides, RecipeOrRun, Resume, RunOutput

if TYPE_CHECKING:
    from ..train.evaluation.run_summary import RunSummary
    from ..train.recipes.plan import RunPlan


def train(
    recipe: RecipeOrRun = None,
    override: Overrides = None,
    output: RunOutput = None,
    folder: DataFolder = None,
    epochs: Epochs = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a network by a recipe.

    Writes weights, history and provenance to a run folder. A run is resumed from its folder alone:
    'pumice train --resume -o RUN', perhaps with more --epochs where its schedule is constant.
    """
    from ..train.recipes.plan import plan_run
    from .output import print_json

    plan = plan_run(
        recipe,
        override or (),
        output=output,
        data_folder=folder,
        resume=resume,
        epochs=epochs,
    )
    try:
        summary, provenance = _train(plan)
    except KeyboardInterrupt:
        typer.echo(f"interrupted; to continue: {resume_command(plan.folder)}", err=True)
        raise
    if as_json:
        print_json({"run": str(plan.folder), "provenance": provenance, "test": summary.to_dict()})
    else:
        _print_summary(summary, plan.folder)


def resume_command(run: Path) -> str:
    """The command that resumes a run."""
    import shlex

    return f"pumice train --resume -o {shlex.quote(str(run))}"


def _train(plan: "RunPlan") -> "tuple[RunSummary, dict[str, object]]":
    from ..train.engine.fit import train_recipe
    from ..train.evaluation.run_summary import summarize_run
    from ..train.recipes.dataset import load_recipe_dataset
    from .output import stdout_to_stderr

    data = load_recipe_dataset(plan.recipe)
    with stdout_to_stderr() as terminal:
        trained = train_recipe(
            plan.recipe,
            data,
            plan.folder,
            resume=plan.resume,
            progress=terminal,
            on_epoch=None if terminal else print_epoch,
        )
        return summarize_run(trained, data), trained.provenance


def print_epoch(epoch: int, epochs: int, metrics: Mapping[str, float], seconds: float) -> None:
    """Print one line about an epoch on standard error."""
    from .output import format_percent, print_progress

    parts = [f"epoch {epoch}/{epochs}"]
    if "loss" in metrics:
        parts.append(f"loss {metrics['loss']:.3g}")
    for name, label in (("accuracy", "training"), ("validation_accuracy", "validation")):
        if name in metrics:
            parts.append(f"{label} {format_percent(metrics[name])}")
    print_progress(", ".join([*parts, f"{seconds:.1f} s"]))


def _print_summary(summary: "RunSummary", run: Path) -> None:
    import shlex

    from .output import print_accuracy

    curves = {"float": summary.accuracy}
    if summary.integer_accuracy is not None:
        curves["integer"] = summary.integer_accuracy
    print_accuracy(curves)
    if summary.spikes is not None and summary.synaptic_operations is not None:
        typer.echo(
            f"per inference: {summary.spikes:,.0f} events, {summary.synaptic_operations:,.0f} "
            "synaptic operations"
        )
    typer.echo(f"run: {run}\nnext: pumice convert {shlex.quote(str(run))}")
