"""`pumice train-hrsnn`: train a heterogeneous recurrent SNN by STDP, or search its parameters."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import DataFolder, Json, RecipeFile

if TYPE_CHECKING:
    from ..train.hrsnn.fit import EvaluationResult
    from ..train.hrsnn.search import TrialResult


HrsnnOverrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="TABLE.KEY=VALUE", help="Override a setting, for example hrsnn.epochs=3."
    ),
]
HrsnnOutput = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="RUN", help="Run folder (default: runs/hrsnn-RECIPE)."),
]


def train_hrsnn(
    recipe: RecipeFile,
    override: HrsnnOverrides = None,
    output: HrsnnOutput = None,
    folder: DataFolder = None,
    search: Annotated[
        bool,
        typer.Option(
            "--search", help="Search parameter distributions; continues an earlier search."
        ),
    ] = False,
    worker: Annotated[
        int,
        typer.Option("--worker", min=0, help="Index of this process in a parallel search."),
    ] = 0,
    as_json: Json = False,
) -> None:
    """Train a heterogeneous recurrent SNN by STDP."""
    from dataclasses import asdict

    from ..runtime.errors import DataError, FileError
    from ..train.engine.run_folder import check_creatable, check_unlocked
    from ..train.hrsnn.recipe import load_samples, remember_folder
    from ..train.recipes.loader import load_recipe
    from .output import print_json

    settings = remember_folder(load_recipe(recipe, override or (), kind="hrsnn"), folder)
    run = output or Path("runs") / f"hrsnn-{Path(recipe).stem}"
    if (run / "result.json").exists() and not search:
        raise FileError(f"{run}: holds a run already; choose another folder with -o")
    check_unlocked(run)
    check_creatable(run)
    source = settings.video or settings.data
    if folder and not folder.is_dir():
        raise DataError(f"{source.name if source else recipe}: no folder {folder}; name another")
    data = load_samples(settings)
    from ..train.hrsnn.fit import fit, search_recipe
    from ..train.hrsnn.search import pareto_front

    if search:
        study, trials = search_recipe(settings, data, run, worker)
        front = pareto_front(trials)
        document = {"study": str(study), "trials": len(trials), "front": list(map(asdict, front))}
        print_json(document) if as_json else _print_front(front)
        return
    result = fit(settings, data, run)
    if as_json:
        print_json({"run": str(run), **asdict(result)})
    else:
        _print_result(result, run)


def _print_result(result: "EvaluationResult", run: Path) -> None:
    from .output import format_percent, print_facts

    print_facts(
        {
            "accuracy": format_percent(result.accuracy),
            "thresholds only": format_percent(result.thresholds_only),
            "untrained network": format_percent(result.untrained),
            "raw input": format_percent(result.raw),
            "spikes": f"{result.spikes:,.0f} per sample",
            "lowest threshold": f"{format_percent(result.floor_fraction)} of the neurons",
            "synaptic operations": f"{result.synops:,.0f} per sample",
            "network": str(run / "network.pumice"),
        }
    )


def _print_front(front: "Sequence[TrialResult]") -> None:
    """Print the trials that are Pareto-optimal in accuracy and spikes."""
    from .output import format_percent, print_table

    rows = [
        (
            format_percent(trial.accuracy),
            f"{trial.spikes:,.0f}",
            " ".join(f"--set hrsnn.{key}={value:.4g}" for key, value in trial.overrides.items()),
        )
        for trial in front
    ]
    print_table(("validation accuracy", "spikes per sample", "settings"), rows, right=(0, 1))
