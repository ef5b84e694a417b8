"""`pumice train`: from a recipe to weights."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from .options import Changes, DataFolder, Json, RecipeFile, Resume, RunOutput

if TYPE_CHECKING:
    from ..train import Recipe, Trained
    from ..train.data import Data


def train(
    recipe: RecipeFile,
    change: Changes = None,
    output: RunOutput = None,
    folder: DataFolder = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a network by a recipe."""
    from ..train import read_recipe
    from .output import print_json

    settings = read_recipe(recipe, change or ())
    run = output or Path("runs") / Path(recipe).stem
    trained = fitted(settings, data_of(settings, folder), run, resume)
    if as_json:
        print_json({"run": str(run), "provenance": trained.provenance})
    else:
        typer.echo(run)


def data_of(recipe: "Recipe", folder: Path | None) -> "Data":
    """Return the data of `recipe`, from `folder` where one is given; raises `DataError`."""
    from ..train.data import load

    options: dict[str, Any] = recipe.data.model_dump()
    return load(**{**options, "folder": folder or options["folder"]})


def fitted(recipe: "Recipe", data: "Data", run: Path, resume: bool) -> "Trained":
    """Train, with whatever is said on the way on standard error."""
    from ..train import fit

    with redirect_stdout(sys.stderr):
        return fit(recipe, data, run, resume=resume, progress=sys.stderr.isatty())
