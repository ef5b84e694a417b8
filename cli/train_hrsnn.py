"""`pumice hrsnn`: a recurrent network learns by STDP, or is searched for."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Changes, DataFolder, Json, RecipeFile, RunOutput

if TYPE_CHECKING:
    from ..train.data import Dataset
    from ..train.hrsnn.recipe import HrsnnRecipe


def train_hrsnn(
    recipe: RecipeFile,
    change: Changes = None,
    output: RunOutput = None,
    folder: DataFolder = None,
    look: Annotated[
        bool, typer.Option("--search", help="Look for better laws; goes on where it was stopped.")
    ] = False,
    worker: Annotated[
        int, typer.Option("--worker", min=0, help="A number of its own for each that searches.")
    ] = 0,
    as_json: Json = False,
) -> None:
    """Let a network of unlike neurons learn by STDP."""
    from dataclasses import asdict

    from ..train.hrsnn.recipe import load_samples
    from ..train.recipes.loader import load_recipe
    from .output import print_facts, print_json

    settings = load_recipe(recipe, change or (), kind="hrsnn")
    run = output or Path("runs") / f"hrsnn-{Path(recipe).stem}"
    data = load_samples(settings, folder)
    if look:
        run_search(settings, data, run, worker, as_json)
        return
    from ..train.hrsnn.fit import fit

    found = fit(settings, data, run)
    if as_json:
        print_json({"run": str(run), **asdict(found)})
        return
    print_facts(
        {
            "right": f"{100 * found.accuracy:.1f} %",
            "untrained": f"{100 * found.untrained:.1f} %",
            "raw input": f"{100 * found.raw:.1f} %",
            "spikes": f"{found.spikes:,.0f} a sample",
            "operations": f"{found.synops:,.0f} synaptic, a sample",
            "network": str(run / "network.pumice"),
        }
    )


def run_search(
    recipe: "HrsnnRecipe", data: "Dataset", run: Path, worker: int, as_json: bool
) -> None:
    """Search, and print the trials that nothing beats in accuracy and spikes at once."""
    from ..train.hrsnn.fit import SearchObjective
    from ..train.hrsnn.search import pareto_front, search
    from .output import print_json, print_table

    run.mkdir(parents=True, exist_ok=True)
    study = run / "search.journal"
    found = search(recipe.hrsnn, recipe.search, SearchObjective(recipe, data), study, worker)
    kept = pareto_front(found)
    if as_json:
        told = [
            {"accuracy": f.accuracy, "spikes": f.spikes, "hrsnn": dict(f.overrides)} for f in kept
        ]
        print_json({"study": str(study), "trials": len(found), "front": told})
        return
    rows = [
        (
            f"{100 * each.accuracy:.1f} %",
            f"{each.spikes:,.0f}",
            " ".join(f"--set hrsnn.{key}={value:.4g}" for key, value in each.overrides.items()),
        )
        for each in kept
    ]
    print_table(("right, validation", "spikes a sample", "settings"), rows, right=(0, 1))
