"""`pumice demo --prednext`: self-supervised pretraining, linear read-out, conversion and report."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .demo_report import write_demo_report
from .output import print_progress, stdout_to_stderr

DIGITS, GARMENTS = "digit-motions", "fashion-motions"
LABELS_PER_CLASS = 20
DATA: dict[str, dict[str, Any]] = {
    DIGITS: {"label": "digit", "values": "gray", "timesteps": 16},
    GARMENTS: {"label": "look", "timesteps": 8},
}


def prednext_demo(
    output: Path, overrides: Sequence[str], as_json: bool, folder: Path | None = None
) -> None:
    """Pretrain without labels, fit a linear read-out on few, convert, verify and report.

    The videos show moving digits; or, with the `folder` of Fashion-MNIST's files, garments in
    motion before changing backgrounds.

    Raises:
        typer.Exit: With exit code 1, if an engine differs from the reference.
    """
    from ..train.recipes.loader import load_recipe

    name = GARMENTS if folder else DIGITS
    recipe = load_recipe(name, overrides, kind="pretraining")
    if folder:
        located = recipe.data.model_copy(update={"folder": folder})
        recipe = recipe.model_copy(update={"data": located})
    from ..train import convert, model_accuracy, write_trained_model
    from ..train.data import load, video_sources
    from ..train.evaluation.baselines import pixel_probe_accuracy, untrained_baseline
    from ..train.evaluation.linear_readout import attach_linear_readout
    from ..train.ssl.pretrain import pretrain

    print_progress(f"pretraining for {recipe.training.epochs} epochs (minutes on two cores)")
    videos = video_sources.load_videos(recipe.data, "train")
    with stdout_to_stderr() as progress:
        pretrained = pretrain(recipe, videos, output / "pretrained", resume=True, progress=progress)
    data = load(name, folder=folder, seed=recipe.data.seed, **DATA[name])
    labels, seed = LABELS_PER_CLASS, recipe.training.seed
    print_progress(f"fitting the read-out to {labels} labels for each of {data.classes} classes")
    trained = attach_linear_readout(pretrained, data, labels, seed)
    write_trained_model(output / "model.safetensors", trained)
    accuracy = model_accuracy(trained.network, data.test, quantized=False).tolist()
    untrained = attach_linear_readout(untrained_baseline(recipe, videos), data, labels, seed)
    baseline = model_accuracy(untrained.network, data.test, quantized=False)[-1]
    print_progress(
        f"accuracy {accuracy[-1]:.1%} (float); from the same labels, an untrained network "
        f"{baseline:.1%}, raw pixels {pixel_probe_accuracy(data, labels, seed):.1%}"
    )
    print_progress("converting to integers")
    network = convert(trained)
    network.save(output / "model.pumice")
    write_demo_report(network, accuracy, output, ["model.pumice"], as_json)
