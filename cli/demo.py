"""`pumice demo`: train, convert, verify, run in Lava and report, on data that ships with pumice."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, Overrides

RECIPE = "digits-events"


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Output folder.")
    ] = Path("demo"),
    override: Overrides = None,
    prednext: Annotated[
        bool, typer.Option("--prednext", help="Pretrain on videos without labels first.")
    ] = False,
    folder: Annotated[
        Path | None,
        typer.Option("--folder", help="Folder of Fashion-MNIST, for --prednext on garments."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run the complete workflow on handwritten digits.

    Trains, converts, verifies, runs in Lava and writes the report. Completed steps are not
    repeated. Exit code 1 if an engine differs from the reference.
    """
    from ..runtime.errors import DataError
    from ..runtime.files import check_output_folder
    from ..train.recipes.dataset import load_recipe_dataset
    from ..train.recipes.loader import load_recipe
    from .demo_report import write_demo_report
    from .doctor import check_training_packages
    from .output import print_progress, stdout_to_stderr

    check_output_folder(output)
    check_training_packages()
    if prednext:
        from .demo_prednext import prednext_demo

        return prednext_demo(output, override or (), as_json, folder)
    if folder is not None:
        raise DataError("--folder: holds the garments of --prednext; add --prednext")
    recipe = load_recipe(RECIPE, override or ())
    print_progress("loading the data")
    data = load_recipe_dataset(recipe)
    from ..train import convert, model_accuracy, train_recipe

    print_progress(f"training for {recipe.training.epochs} epochs (a minute on two cores)")
    with stdout_to_stderr() as progress:
        trained = train_recipe(recipe, data, output, resume=True, progress=progress)
    accuracy = model_accuracy(trained.network, data.test, quantized=False).tolist()
    print_progress("converting to integers")
    network = convert(trained)
    network.save(output / "model.pumice")
    network.to_onnx(output / "model.onnx")
    write_demo_report(network, accuracy, output, ["model.pumice", "model.onnx"], as_json)
