"""One cell of `bench.prednext`: pretrain a network without labels and evaluate its features."""

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
SETTINGS = ("training.epochs=8",)
MOMENTUM_OBJECTIVES = {
    "moco",
    "byol",
}  # objectives whose momentum copy provides the targets
QUICK = (
    "training.epochs=1",
    "network.channels=[8,8]",
    "network.kernels=[3,3]",
    "network.strides=[2,2]",
)
CLIPS = 2  # per test video
RECORDED_SETTINGS = (
    "clips.stride=2",
    "views.crop=0.5",
    "training.epochs=40",
    "training.batch_size=12",
    "data.name=folder",
    "data.height=32",
    "data.width=32",
    "data.grayscale=true",
)


def cell_key(name: Name) -> str:
    """Key of a cell in the file of results."""
    return "/".join(map(str, name))


def cell_settings(name: Name) -> list[str]:
    """Overrides of the recipe `digit-motions` for a cell."""
    objective, variant, weight, seed = name
    settings = [*SETTINGS, f"training.seed={seed}", f"objective.name={objective}"]
    if objective in MOMENTUM_OBJECTIVES:
        settings.append("prednext.targets=momentum")
    if variant == "forced":
        return [*settings, "prednext.weight=0", f"objective.consistency_weight={weight}"]
    return [*settings, f"prednext.weight={weight}", *VARIANTS[variant]]


def measure_cell(name: Name, quick: bool) -> Cell:
    """Pretrain and evaluate one network; `seconds` are CPU time."""
    import torch

    torch.set_num_threads(1)
    if name[0] == "recorded":
        return measure_recorded(name, quick)
    from pumice.train.data import load_motion_videos
    from pumice.train.evaluation.features import FEATURE_KINDS
    from pumice.train.evaluation.score import evaluate_features
    from pumice.train.recipes.loader import load_recipe

    recipe = load_recipe(
        "digit-motions", [*cell_settings(name), *(QUICK if quick else ())], kind="pretraining"
    )
    train = load_motion_videos("train")
    features, cell = _make_feature_extractor(name[1], recipe, train)
    gallery = features(train)
    cell["validation"] = evaluate_features(
        gallery, features(load_motion_videos("validation")), FEATURE_KINDS[:1]
    )
    cell["test"] = evaluate_features(gallery, features(load_motion_videos("test")))
    return cell


def _make_feature_extractor(
    variant: str, recipe: Any, videos: Any
) -> tuple[Callable[[Any], Any], Cell]:
    """Pretrain a feature extractor; also return its training time and history."""
    from pumice.train.evaluation.baselines import untrained_baseline
    from pumice.train.evaluation.features import extract_features, pixel_features
    from pumice.train.ssl.pretrain import pretrain

    if variant == "pixels":
        return lambda inputs: pixel_features(inputs, recipe.clips, CLIPS), {"seconds": 0.0}
    cell: Cell = {}
    start = process_time()
    if variant == "untrained":
        network = untrained_baseline(recipe, videos, CLIPS).network
    else:
        with tempfile.TemporaryDirectory() as folder:
            network = pretrain(recipe, videos, Path(folder) / "run").network
            cell["history"] = (Path(folder) / "run" / "history.csv").read_text(encoding="utf-8")
    cell["seconds"] = process_time() - start
    return lambda inputs: extract_features(network, inputs, recipe.clips, CLIPS), cell


def measure_recorded(name: Name, quick: bool) -> Cell:
    """Pretrain on recorded videos; retrieve the other half of the same recording."""
    import numpy as np

    from pumice.train.data.video_folder import open_video_folder
    from pumice.train.evaluation.knn import recall_at_k
    from pumice.train.recipes.loader import load_recipe

    _, variant, weight, seed = name
    folder = Path(os.environ.get("PUMICE_TEST_DATA", "../shared/data"))
    settings = [
        f"training.seed={seed}",
        f"prednext.weight={weight}",
        *RECORDED_SETTINGS,
        *VARIANTS[variant],
    ]
    recipe = load_recipe(
        "digit-motions", [*settings, *(QUICK if quick else ())], kind="pretraining"
    )
    videos = open_video_folder(recipe.data, [folder / "hmdb51", folder / "kth"])
    features, cell = _make_feature_extractor(variant, recipe, videos)
    halves = [features(_VideoHalves(videos, first)) for first in (True, False)]
    ids = np.arange(len(videos.lengths))
    recall = recall_at_k(halves[1].mean, ids, halves[0].mean, ids, (1, 5))
    return {
        "seconds": cell["seconds"],
        "videos": len(ids),
        "skipped": len(videos.skipped),
        "recording_R@1": recall[1],
        "recording_R@5": recall[5],
        "consistency_error": float(halves[1].consistency_errors.mean()),
    }


class _VideoHalves:
    """The first or the second half of each video."""

    def __init__(self, videos: Any, first: bool):
        self.videos, self.first, self.labels = videos, first, videos.labels
        self.lengths = videos.lengths // 2

    def clip(self, video: int, places: Any) -> Any:
        return self.videos.clip(video, places + (0 if self.first else self.lengths[video]))
