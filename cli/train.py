"""`pumice train`: from a recipe to weights."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import DataFolder, Json

if TYPE_CHECKING:
    from ..train import Recipe, Trained
    from ..train.data import Data


def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A TOML file, or the name of a shipped recipe.")
    ],
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: fit.epochs=3."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="RUN", help="Where to (runs/NAME OF THE RECIPE)."),
    ] = None,
    folder: DataFolder = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was stopped.")
    ] = False,
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
