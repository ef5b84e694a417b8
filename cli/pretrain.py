"""`pumice pretrain`: self-supervised learning from videos without labels."""

import shlex

import typer

from .options import Json, Overrides, RecipeOrRun, Resume, RunOutput


def pretrain(
    recipe: RecipeOrRun = None,
    override: Overrides = None,
    output: RunOutput = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Pretrain a network on videos without labels.

    Evaluate the features with 'pumice evaluate --protocol all RUN'. A run is resumed from its
    folder alone: 'pumice pretrain --resume -o RUN'.
    """
    from ..train.recipes.plan import plan_pretraining
    from .doctor import check_training_packages
    from .output import print_json, print_progress, stdout_to_stderr

    settings, run = plan_pretraining(recipe, override or (), output=output, resume=resume)
    check_training_packages()
    from ..train.data.video_folder import VideoFolder
    from ..train.data.video_sources import load_videos

    videos = load_videos(settings.data, "train")
    if isinstance(videos, VideoFolder):
        for reason in videos.skipped:
            print_progress(f"skipped: {reason}")
    from ..train.ssl.pretrain import pretrain

    try:
        with stdout_to_stderr() as progress:
            pretrained = pretrain(settings, videos, run, resume=resume, progress=progress)
    except KeyboardInterrupt:
        command = f"pumice pretrain --resume -o {shlex.quote(str(run))}"
        print_progress(f"interrupted; to continue: {command}")
        raise
    if as_json:
        print_json({"run": str(run), "provenance": pretrained.provenance})
    else:
        typer.echo(run)
