"""`pumice train`: train a network by a recipe."""

from pathlib import Path

import typer

from .options import DataFolder, Json, Overrides, RecipeFile, Resume, RunOutput


def train(
    recipe: RecipeFile,
    override: Overrides = None,
    output: RunOutput = None,
    folder: DataFolder = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Train a network by a recipe.

    Writes weights, history and provenance to a run folder.
    """
    from ..train.recipes.loader import load_recipe
    from ..train.recipes.preflight import check_training
    from .output import print_json, stdout_to_stderr

    settings = load_recipe(recipe, override or ())
    check_training(settings, folder)
    from ..train.engine.fit import train_recipe
    from ..train.recipes.dataset import load_recipe_dataset

    run = output or Path("runs") / Path(recipe).stem
    data = load_recipe_dataset(settings, folder)
    with stdout_to_stderr() as progress:
        trained = train_recipe(settings, data, run, resume=resume, progress=progress)
    if as_json:
        print_json({"run": str(run), "provenance": trained.provenance})
    else:
        typer.echo(run)
