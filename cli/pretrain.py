"""`pumice pretrain`: self-supervised learning from videos without labels."""

from pathlib import Path

import typer

from .options import Json, Overrides, RecipeFile, Resume, RunOutput


def pretrain(
    recipe: RecipeFile,
    override: Overrides = None,
    output: RunOutput = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Pretrain a network on videos without labels.

    Evaluate the features with 'pumice evaluate --protocol all RUN'.
    """
    from ..train.engine.run_folder import check_run_folder, check_unlocked
    from ..train.recipes.loader import load_recipe
    from .output import print_json, print_progress, stdout_to_stderr

    settings = load_recipe(recipe, override or (), kind="pretraining")
    run = output or Path("runs") / Path(recipe).stem
    check_run_folder(run, resume, "encoder.safetensors")
    check_unlocked(run)
    from ..train.data.video_folder import VideoFolder
    from ..train.data.video_sources import load_videos

    videos = load_videos(settings.data, "train")
    if isinstance(videos, VideoFolder):
        for reason in videos.skipped:
            print_progress(f"skipped: {reason}")
    from ..train.ssl.pretrain import pretrain

    with stdout_to_stderr() as progress:
        pretrained = pretrain(settings, videos, run, resume=resume, progress=progress)
    if as_json:
        print_json({"run": str(run), "provenance": pretrained.provenance})
    else:
        typer.echo(run)
