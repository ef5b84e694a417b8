"""`pumice demo --prednext`: from videos without labels to the chip."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

RECIPE = "digit-motions"
LABELS_PER_CLASS = 20
DATA: dict[str, Any] = {"label": "digit", "values": "gray", "timesteps": 16}


def prednext_demo(output: Path, change: Sequence[str], as_json: bool) -> None:
    """Pretrain without labels, probe with few, convert, compare all engines and report.

    What is there already is not done again. Raises `typer.Exit(1)` where an engine differs.
    """
    from ..report import to_json, write_report
    from ..runtime import write_network
    from ..train import convert, model_accuracy, write_trained_model
    from ..train.data import load
    from ..train.data.inputs import dataset_inputs
    from ..train.data.video_sources import load_videos
    from ..train.evaluation.baselines import pixel_probe_accuracy, untrained_baseline
    from ..train.evaluation.linear_readout import attach_linear_readout
    from ..train.recipes.loader import load_recipe
    from .demo import build_demo_report, print_report
    from .pretrain import run_pretraining

    recipe = load_recipe(RECIPE, change, kind="pretraining")
    _print_progress(
        f"pretraining {recipe.training.epochs} epochs without labels, two minutes on two cores"
    )
    pretrained = run_pretraining(recipe, output / "pretrained", resume=True)
    data = load("digit-motions", seed=recipe.data.seed, **DATA)
    few, seed = LABELS_PER_CLASS, recipe.training.seed
    _print_progress(f"reading out {few} labelled samples of each of {data.classes} classes")
    trained = attach_linear_readout(pretrained, data, few, seed)
    write_trained_model(output / "model.safetensors", trained)
    real = model_accuracy(trained.network, data.test, quantized=False).tolist()
    drawn = attach_linear_readout(
        untrained_baseline(recipe, load_videos(recipe.data, "train")), data, few, seed
    )
    before = model_accuracy(drawn.network, data.test, quantized=False)[-1]
    _print_progress(
        f"{real[-1]:.1%} right in real numbers; from the same labels {before:.1%} with the network "
        f"as it was drawn, {pixel_probe_accuracy(data, few, seed):.1%} with the images themselves"
    )
    _print_progress("converting to integers")
    network = convert(trained)
    write_network(output / "model.pumice", network)
    made = build_demo_report(network, dataset_inputs(network, None), real)
    paths = [output / "model.pumice", *write_report(output, made)]
    if as_json:
        typer.echo(to_json(made), nl=False)
    else:
        print_report(made, paths)
    if not (made.verification and made.verification.passed):
        raise typer.Exit(1)


def _print_progress(what: str) -> None:
    typer.echo(what, err=True)
