"""`pumice pretrain`: a network learns from videos without labels."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .options import Changes, Json, RecipeFile, Resume, RunOutput

if TYPE_CHECKING:
    from ..train.ssl.pretrain import PretrainedModel
    from ..train.ssl.recipe import PretrainRecipe


def pretrain(
    recipe: RecipeFile,
    change: Changes = None,
    output: RunOutput = None,
    resume: Resume = False,
    as_json: Json = False,
) -> None:
    """Let a network learn from videos without labels.

    'pumice eval --protocol all RUN' then says what it has learned.
    """
    from ..train.recipes.loader import load_recipe
    from .output import print_json

    settings = load_recipe(recipe, change or (), kind="pretraining")
    run = output or Path("runs") / Path(recipe).stem
    pretrained = run_pretraining(settings, run, resume)
    if as_json:
        print_json({"run": str(run), "provenance": pretrained.provenance})
    else:
        typer.echo(run)


def run_pretraining(recipe: "PretrainRecipe", run: Path, resume: bool) -> "PretrainedModel":
    """Pretrain, with whatever is said on the way on standard error."""
    from ..train.data.video_folder import VideoFolder
    from ..train.data.video_sources import load_videos
    from ..train.ssl.pretrain import pretrain

    videos = load_videos(recipe.data, "train")
    if isinstance(videos, VideoFolder):
        for reason in videos.skipped:
            typer.echo(f"left out: {reason}", err=True)
    with redirect_stdout(sys.stderr):
        return pretrain(recipe, videos, run, resume=resume, progress=sys.stderr.isatty())
