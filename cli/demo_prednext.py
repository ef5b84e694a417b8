"""`pumice demo --prednext`: from videos without labels to the chip."""

from collections.abc import Sequence
from pathlib import Path

import typer

RECIPE = "digit-motions"
LABELS_PER_CLASS = 20
DATA = {"label": "digit", "values": "grey", "timesteps": 16}


def prednext_demo(output: Path, change: Sequence[str], as_json: bool) -> None:
    """Pretrain without labels, probe with few, convert, compare all engines and report.

    What is there already is not done again. Raises `typer.Exit(1)` where an engine differs.
    """
    from ..runtime import write_network
    from ..runtime.report import report_json, write_report
    from ..train import converted, trained_accuracies, write_trained
    from ..train.controls import told_by_pixels, untrained
    from ..train.data import load
    from ..train.data.video_sources import videos_of
    from ..train.pretrain_recipe import read_pretrain_recipe
    from ..train.probed import probed
    from .demo import show, told
    from .inputs import from_data
    from .pretrain import learned

    recipe = read_pretrain_recipe(RECIPE, change)
    _say(f"pretraining {recipe.fit.epochs} epochs without labels, two minutes on two cores")
    pretrained = learned(recipe, output / "pretrained", resume=True)
    data = load("digit-motions", seed=recipe.data.seed, **DATA)
    few, seed = LABELS_PER_CLASS, recipe.fit.seed
    _say(f"reading out {few} labelled samples of each of {data.classes} classes")
    trained = probed(pretrained, data, few, seed)
    write_trained(output / "model.safetensors", trained)
    real = trained_accuracies(trained.network, data.test, quantised=False).tolist()
    drawn = probed(untrained(recipe, videos_of(recipe.data, "train")), data, few, seed)
    before = trained_accuracies(drawn.network, data.test, quantised=False)[-1]
    _say(
        f"{real[-1]:.1%} right in real numbers; from the same labels {before:.1%} with the network "
        f"as it was drawn, {told_by_pixels(data, few, seed):.1%} with the images themselves"
    )
    _say("converting to integers")
    network, _ = converted(trained)
    write_network(output / "model.pumice", network)
    made = told(network, from_data(network, None), real)
    paths = [output / "model.pumice", *write_report(output, made)]
    if as_json:
        typer.echo(report_json(made), nl=False)
    else:
        show(made, paths)
    if not (made.certificate and made.certificate.agreed):
        raise typer.Exit(1)


def _say(what: str) -> None:
    typer.echo(what, err=True)
