"""One cell of the benchmark of PredNext: a network that learns without labels, and its scores."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

Cell = dict[str, Any]
Name = tuple[str, str, float, int]
VARIANTS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "pixels": (),
    "untrained": (),
    "PredNext": (),
    "summed": ("prednext.reduction=sum",),
    "step only": ("prednext.clip=false",),
    "clip only": ("prednext.step=false",),
    "same view": ("prednext.cross_view=false",),
    "cross view alone": (),
    "same view alone": ("prednext.cross_view=false",),
}
SETTINGS = ("fit.epochs=8",)
FOLLOWED = {"moco", "byol"}  # the objectives whose momentum copy tells what is to be foretold
QUICK = ("fit.epochs=1", "network.channels=[8,8]", "network.kernels=[3,3]", "network.strides=[2,2]")
CLIPS = 2  # of a test video
RECORDED = (
    "clips.stride=2",
    "views.crop=0.5",
    "fit.epochs=40",
    "fit.batch=12",
    "data.name=folder",
    "data.height=32",
    "data.width=32",
    "data.grey=true",
)


def key(name: Name) -> str:
    """Return a cell's name as one word."""
    return "/".join(map(str, name))


def changes(name: Name) -> list[str]:
    """Return the settings that make a cell of the recipe `digit-motions`."""
    objective, variant, weight, seed = name
    made = [*SETTINGS, f"fit.seed={seed}", f"objective.name={objective}"]
    if objective in FOLLOWED:
        made.append("prednext.targets=momentum")
    if variant == "forced":
        return [*made, "prednext.weight=0", f"objective.consistency={weight}"]
    return [*made, f"prednext.weight={weight}", *VARIANTS[variant]]


def measured(name: Name, quick: bool) -> Cell:
    """Pretrain one network and return its scores; seconds are of one core."""
    import torch

    torch.set_num_threads(1)
    if name[0] == "recorded":
        return recorded(name, quick)
    from pumice.train.data import motion_videos
    from pumice.train.pretrain_recipe import read_pretrain_recipe
    from pumice.train.protocols.features import KINDS
    from pumice.train.protocols.score import scores

    recipe = read_pretrain_recipe("digit-motions", [*changes(name), *(QUICK if quick else ())])
    train = motion_videos("train")
    features, cell = _seeing(name[1], recipe, train)
    known = features(train)
    cell["validation"] = scores(known, features(motion_videos("validation")), KINDS[:1])
    cell["test"] = scores(known, features(motion_videos("test")))
    return cell


def _seeing(variant: str, recipe: Any, videos: Any) -> tuple[Callable[[Any], Any], Cell]:
    """Return what makes features of videos, and what learning it took and told."""
    from pumice.train.controls import untrained
    from pumice.train.pretrain import pretrain
    from pumice.train.protocols.features import features_of, pixels_of

    if variant == "pixels":
        return lambda seen: pixels_of(seen, recipe.clips, CLIPS), {"seconds": 0.0}
    cell: Cell = {}
    start = process_time()
    if variant == "untrained":
        network = untrained(recipe, videos, CLIPS).network
    else:
        with tempfile.TemporaryDirectory() as folder:
            network = pretrain(recipe, videos, Path(folder) / "run").network
            cell["history"] = (Path(folder) / "run" / "history.csv").read_text(encoding="utf-8")
    cell["seconds"] = process_time() - start
    return lambda seen: features_of(network, seen, recipe.clips, CLIPS), cell


def recorded(name: Name, quick: bool) -> Cell:
    """Pretrain on recorded videos; ask for another clip of the recording that a clip is from."""
    import numpy as np

    from pumice.train.data.video_folder import video_folder
    from pumice.train.pretrain_recipe import read_pretrain_recipe
    from pumice.train.protocols.neighbours import retrieval

    _, variant, weight, seed = name
    folder = Path(os.environ.get("PUMICE_TEST_DATA", "../shared/data"))
    settings = [f"fit.seed={seed}", f"prednext.weight={weight}", *RECORDED, *VARIANTS[variant]]
    recipe = read_pretrain_recipe("digit-motions", [*settings, *(QUICK if quick else ())])
    videos = video_folder(recipe.data, [folder / "hmdb51", folder / "kth"])
    features, cell = _seeing(variant, recipe, videos)
    halves = [features(_Half(videos, first)) for first in (True, False)]
    each = np.arange(len(videos.lengths))
    found = retrieval(halves[1].mean, each, halves[0].mean, each, (1, 5))
    return {
        "seconds": cell["seconds"],
        "videos": len(each),
        "left_out": len(videos.left_out),
        "recording_R@1": found[1],
        "recording_R@5": found[5],
        "consistency_error": float(halves[1].errors.mean()),
    }


class _Half:
    """The first or the second half of each video."""

    def __init__(self, videos: Any, first: bool):
        self.videos, self.first, self.labels = videos, first, videos.labels
        self.lengths = videos.lengths // 2

    def clip(self, video: int, places: Any) -> Any:
        return self.videos.clip(video, places + (0 if self.first else self.lengths[video]))
