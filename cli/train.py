"""`pumice train`: from a recipe to weights."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .options import Changes, DataFolder, Json, RecipeFile, Resume, RunOutput

if TYPE_CHECKING:
    from ..train import Recipe, TrainedModel
    from ..train.data import Dataset


def train(
    recipe: RecipeFile,
    change: Changes = None,
    output: RunOutput = None,
    folder: DataFolder = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a network by a recipe."""
    from ..train import load_recipe
    from .output import print_json

    settings = load_recipe(recipe, change or ())
    run = output or Path("runs") / Path(recipe).stem
    trained = run_training(settings, load_data(settings, folder), run, resume)
    if as_json:
        print_json({"run": str(run), "provenance": trained.provenance})
    else:
        typer.echo(run)


def load_data(recipe: "Recipe", folder: Path | None) -> "Dataset":
    """Return the data of `recipe`, from `folder` where one is given; raises `DataError`."""
    from ..train.data import load

    options: dict[str, Any] = recipe.data.model_dump()
    return load(**{**options, "folder": folder or options["folder"]})


def run_training(recipe: "Recipe", data: "Dataset", run: Path, resume: bool) -> "TrainedModel":
    """Train, with whatever is said on the way on standard error."""
    from ..train import train_recipe

    with redirect_stdout(sys.stderr):
        return train_recipe(recipe, data, run, resume=resume, progress=sys.stderr.isatty())
