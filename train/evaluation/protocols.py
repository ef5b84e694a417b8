"""Evaluate a pretrained encoder on its test videos by one or all protocols."""

import os
from pathlib import Path
from typing import Any, Literal

from ..data import video_sources
from ..ssl.pretrain import read_pretrained_model
from .features import extract_features
from .finetune import finetune, top_k_accuracy
from .score import evaluate_features

Protocol = Literal["all", "knn", "probe", "retrieval", "consistency", "collapse", "finetune"]
CLIPS_PER_VIDEO = 3


def evaluate_protocol(
    run: str | os.PathLike[str],
    protocol: Protocol = "all",
    folder: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Evaluate the encoder of a pretraining run on the test part of its videos.

    Args:
        run: The folder that pretraining wrote.
        protocol: `all`, or one; kNN, probe, retrieval, consistency and collapse are computed from
            the same features, so that only `finetune` restricts the work.
        folder: The folder of the videos, if not that of the recipe.

    Returns:
        JSON values: `run`, `videos`, the keys of `evaluate_features`, and for `finetune` the top-k
        accuracy for each kind of label.
    """
    pretrained = read_pretrained_model(Path(run))
    recipe, network = pretrained.recipe, pretrained.network
    options = recipe.data.model_copy(update={"folder": folder or recipe.data.folder})
    train, test = (video_sources.load_videos(options, part) for part in ("train", "test"))
    result: dict[str, Any] = {"run": str(run), "videos": len(test.lengths)}
    if protocol != "finetune":
        gallery, queries = (
            extract_features(network, videos, recipe.clips, CLIPS_PER_VIDEO)
            for videos in (train, test)
        )
        result |= evaluate_features(gallery, queries)
    if protocol in ("all", "finetune"):
        result["finetune"] = {}
        for label in train.labels:
            tuned = finetune(network, train, label, recipe.clips)
            accuracy = top_k_accuracy(tuned, test, label, recipe.clips, CLIPS_PER_VIDEO)
            result["finetune"][label] = {str(k): value for k, value in accuracy.items()}
    return result
