"""`pumice train`: train a network by a recipe."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import DataFolder, Epochs, Json, Overrides, RecipeOrRun, Resume, RunOutput

if TYPE_CHECKING:
    from ..train.evaluation.run_summary import RunSummary
    from ..train.recipes.execute import CompletedRun, SeedStatistics
    from ..train.recipes.plan import RunPlan

Seeds = Annotated[
    str | None,
    typer.Option(
        "--seeds",
        metavar="LIST",
        help="Train once for each seed, as 0,1,2, into RUN/seed-0, ..., and average.",
    ),
]


Smoke = Annotated[
    bool,
    typer.Option("--smoke", help="Check shapes and memory, and run two steps on random samples."),
]


def train(
    recipe: RecipeOrRun = None,
    override: Overrides = None,
    output: RunOutput = None,
    folder: DataFolder = None,
    epochs: Epochs = None,
    seeds: Seeds = None,
    resume: Resume = False,
    smoke: Smoke = False,
    as_json: Json = False,
) -> None:
    """Train a network by a recipe.

    Writes weights, history and provenance to a run folder. A run is resumed from its folder alone:
    'pumice train --resume -o RUN', perhaps with more --epochs where its schedule is constant
    or step. --smoke checks a recipe of any kind without its data: shapes, memory, two steps.
    """
    if smoke:
        _print_smoke(recipe, override or (), as_json)
        return
    from ..train.recipes.plan import holds_seeds, plan_run, plan_seeds, write_seeds

    several = seeds is not None or (resume and holds_seeds(recipe, output))
    if not several:
        plans = [
            plan_run(
                recipe,
                override or (),
                output=output,
                data_folder=folder,
                resume=resume,
                epochs=epochs,
            )
        ]
    else:
        plans = plan_seeds(
            recipe,
            seeds,
            override or (),
            output=output,
            data_folder=folder,
            resume=resume,
            epochs=epochs,
        )
    if several:
        write_seeds(plans)
    runs = _execute(plans)
    if not several:
        _print_run(runs[0], as_json)
    else:
        _print_seeds(runs, as_json)


def _print_smoke(recipe: str | None, overrides: Sequence[str], as_json: bool) -> None:
    from ..runtime.errors import RecipeError
    from ..train.recipes.loader import load_any_recipe
    from .output import print_json, stdout_to_stderr

    if recipe is None:
        raise RecipeError("--smoke: RECIPE is missing: name one (see 'pumice recipes')")
    settings = load_any_recipe(recipe, overrides)
    from ..train.recipes.smoke import smoke_test

    with stdout_to_stderr():
        report = smoke_test(settings)
    if as_json:
        print_json(report.to_dict())
        return
    for name, shape in report.layers.items():
        typer.echo(f"{name:24} {' x '.join(map(str, shape))}")
    typer.echo(
        f"input {' x '.join(map(str, report.input_shape))}, {report.timesteps} timesteps; "
        f"{report.neurons:,} neurons, {report.parameters:,} weights"
    )
    if report.memory is not None and report.memory_with_checkpointing is not None:
        typer.echo(
            f"memory of a step of {report.batch_size} samples: {_format_gb(report.memory)}, with "
            f"gradient checkpointing {_format_gb(report.memory_with_checkpointing)}"
        )
    took = report.step_memory_measured
    estimate = "" if report.step_memory is None else f", estimated {_format_gb(report.step_memory)}"
    typer.echo(
        f"two steps of {report.step_batch_size} samples: {report.seconds:.1f} s each, loss "
        f"{report.loss:.3g}" + (f", memory {_format_gb(took)}{estimate}" if took else "")
    )


def _format_gb(size: int) -> str:
    return f"{size / 1e9:.3g} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _execute(plans: "list[RunPlan]") -> "list[CompletedRun]":
    from ..train.recipes.dataset import load_recipe_dataset
    from .doctor import check_training_packages
    from .output import print_progress, stdout_to_stderr

    check_training_packages()
    current = plans[0].folder

    def announce(plan: "RunPlan") -> None:
        nonlocal current
        current = plan.folder
        if len(plans) > 1:
            print_progress(str(plan.folder))

    try:
        with stdout_to_stderr() as terminal:
            data = load_recipe_dataset(plans[0].recipe)  # before torch, which takes seconds
            from ..train.recipes.execute import execute_runs

            return execute_runs(plans, data, terminal, None if terminal else print_epoch, announce)
    except KeyboardInterrupt:
        folder = current if len(plans) == 1 else current.parent
        command = f"pumice train --resume -o {shlex.quote(str(folder))}"
        typer.echo(f"interrupted; to continue: {command}", err=True)
        raise


def print_epoch(epoch: int, epochs: int, metrics: Mapping[str, float], seconds: float) -> None:
    """Print one line about an epoch on standard error."""
    from .output import format_error, format_percent, print_progress

    parts = [f"epoch {epoch}/{epochs}"]
    if "loss" in metrics:
        parts.append(f"loss {metrics['loss']:.3g}")
    for name, label in (("accuracy", "training"), ("validation_accuracy", "validation")):
        if name in metrics:
            parts.append(f"{label} {format_percent(metrics[name])}")
    for name, label in (("error", "training"), ("validation_error", "validation")):
        if name in metrics:
            parts.append(f"{label} error {format_error(metrics[name])}")
    print_progress(", ".join([*parts, f"{seconds:.1f} s"]))


def _print_run(run: "CompletedRun", as_json: bool) -> None:
    from .output import print_accuracy, print_errors, print_json

    if as_json:
        print_json(run.to_dict())
        return
    summary, folder = run.summary, run.plan.folder
    print_curves = print_accuracy if summary.errors is None else print_errors
    print_curves(summary.curves)
    _print_cost(summary)
    typer.echo(f"run: {folder}\nnext: pumice convert {shlex.quote(str(folder))}")


def _print_cost(summary: "RunSummary") -> None:
    if summary.spikes is not None and summary.synaptic_operations is not None:
        typer.echo(
            f"per inference: {summary.spikes:,.0f} events, {summary.synaptic_operations:,.0f} "
            "synaptic operations"
        )


def _print_seeds(runs: "list[CompletedRun]", as_json: bool) -> None:
    from dataclasses import asdict

    from ..train.recipes.execute import seed_statistics
    from .output import print_json

    statistics = seed_statistics(runs)
    if as_json:
        print_json({"runs": [run.to_dict() for run in runs], **asdict(statistics)})
    else:
        folders = [run.plan.folder for run in runs]
        _print_statistics(statistics, folders, runs[0].summary.errors is not None)


def _print_statistics(statistics: "SeedStatistics", folders: list[Path], regression: bool) -> None:
    from .output import format_error, format_mean, print_columns

    def format_value(mean: float, deviation: float | None) -> str:
        if not regression:
            return format_mean(mean, deviation)
        spread = "" if deviation is None else f" ± {format_error(deviation)}"
        return f"{format_error(mean)}{spread}"

    deviations = statistics.deviations
    rows = [
        (
            f"T={step + 1}",
            *(
                format_value(values[step], deviations[name][step] if deviations else None)
                for name, values in statistics.means.items()
            ),
        )
        for step in range(len(statistics.means["float"]))
    ]
    what = "mean absolute error" if regression else "accuracy"
    print_columns((what, *statistics.means), rows, right=(1, 2))
    typer.echo(f"mean ± standard deviation of {len(folders)} seeds")
    typer.echo("\n".join(map(str, folders)))
