"""`pumice sweep`: search settings of a recipe by validation accuracy."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import DataFolder, Json, Overrides, RecipeFile

if TYPE_CHECKING:
    from ..train.engine.sweep import SweepTrial

SHOWN_TRIALS = 10


def sweep(
    recipe: RecipeFile,
    param: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            metavar="KEY=VALUES",
            help="Setting to search: KEY=LOW:HIGH, KEY=LOW:HIGH:log or KEY=A,B,C; may be repeated.",
        ),
    ] = None,
    trials: Annotated[
        int, typer.Option("--trials", min=1, help="Number of trials of all workers together.")
    ] = 20,
    seeds: Annotated[
        str, typer.Option("--seeds", metavar="LIST", help="Seeds to average over, as 0,1,2.")
    ] = "0",
    override: Overrides = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FOLDER", help="Folder (default: runs/sweep-RECIPE)."
        ),
    ] = None,
    folder: DataFolder = None,
    worker: Annotated[
        int, typer.Option("--worker", min=0, help="Index of this process, if several share -o.")
    ] = 0,
    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Number of processes on this machine.")
    ] = 1,
    as_json: Json = False,
) -> None:
    """Search settings of a recipe.

    Trains the recipe with several settings and compares validation accuracies. An interrupted sweep
    continues when the command is repeated. --workers runs several processes on one study; to use
    several machines, start the command on each with one shared -o and different --worker.
    """
    from ..runtime.files import check_output_folder
    from ..train.recipes.sweep_space import check_space, parse_parameter, parse_seeds
    from .output import print_json, stdout_to_stderr

    parameters = tuple(parse_parameter(each) for each in param or ())
    settings = [*(override or ()), *([f"data.folder={str(folder)!r}"] if folder else [])]
    seed_list = parse_seeds(seeds)
    check_space(recipe, settings, parameters)
    run = output or Path("runs") / f"sweep-{Path(recipe).stem}"
    check_output_folder(run)
    from ..train.engine.sweep import Sweep, run_sweep

    plan = Sweep(recipe, tuple(settings), parameters, seed_list, trials)
    with stdout_to_stderr():
        results = run_sweep(plan, run, worker, _print_trial, workers)
    if as_json:
        print_json({"folder": str(run), "trials": [_trial_to_dict(each) for each in results]})
    else:
        _print_trials(results, recipe, settings)


def _print_trial(trial: "SweepTrial") -> None:
    from .output import print_progress

    print_progress(f"trial {trial.number}: {format_accuracy(trial)}  {' '.join(trial.settings)}")


def format_accuracy(trial: "SweepTrial") -> str:
    """Format mean and standard deviation of the accuracy of a trial."""
    from .output import format_mean

    return format_mean(trial.mean, trial.deviation)


def _print_trials(results: "Sequence[SweepTrial]", recipe: str, overrides: Sequence[str]) -> None:
    from .output import print_columns

    shown = results[:SHOWN_TRIALS]
    rows = [(str(each.number), format_accuracy(each), each.settings[0]) for each in shown]
    wrapped = []
    for row, each in zip(rows, shown, strict=True):
        wrapped += [row, *(("", "", setting) for setting in each.settings[1:])]
    print_columns(("trial", "validation accuracy", "settings"), wrapped, right=(0, 1))
    settings = (*overrides, *results[0].settings)
    best = " ".join(f"--set {shlex.quote(setting)}" for setting in settings)
    typer.echo(f"next: pumice train {recipe} {best}")


def _trial_to_dict(trial: "SweepTrial") -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(trial), "mean": trial.mean, "deviation": trial.deviation}
