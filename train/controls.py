"""What features that were learned are compared with: the images themselves, and a drawn network."""

import torch

from .data import Data
from .data.videos import VideoSource
from .pretrain import Pretrained, built, described
from .pretrain_recipe import PretrainRecipe
from .probed import few_labelled
from .protocols.features import clips_of
from .protocols.probe import linear_probe
from .recalibrate import recalibrate


def untrained(recipe: PretrainRecipe, videos: VideoSource, clips: int = 1) -> Pretrained:
    """Return the network that a run of `recipe` begins with, made fit to be used.

    Its weights are as drawn, and batch norm's statistics those of `clips` clips of each of
    `videos`: with others its deeper layers would hardly spike.
    """
    provenance = described(recipe, videos)
    torch.manual_seed(recipe.fit.seed)
    network = built(recipe, provenance)
    recalibrate(network, clips_of(videos, recipe.clips, clips))
    return Pretrained(network.eval(), recipe, provenance)


def told_by_pixels(data: Data, per_class: int, seed: int = 0) -> float:
    """Return the share of test samples that a probe of the time means of their pixels tells right.

    It sees the labels that `probed` sees.
    """
    few = few_labelled(data, per_class, seed)
    known, asked = (
        each.frames.mean(axis=1, dtype="float32").reshape(len(each), -1)
        for each in (few, data.test)
    )
    return linear_probe(known, few.labels, data.classes).right(asked, data.test.labels)
