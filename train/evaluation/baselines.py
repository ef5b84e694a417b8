"""What features that were learned are compared with: the images themselves, and a drawn network."""

import torch

from ..data import Dataset
from ..data.videos import VideoSource
from ..nn.batch_norm import recalibrate_batch_norm
from ..ssl.pretrain import PretrainedModel, build_encoder, make_pretrain_provenance
from ..ssl.recipe import PretrainRecipe
from .features import iter_clips
from .linear_readout import sample_per_class
from .probe import fit_linear_probe


def untrained_baseline(
    recipe: PretrainRecipe, videos: VideoSource, clips: int = 1
) -> PretrainedModel:
    """Return the network that a run of `recipe` begins with, made fit to be used.

    Its weights are as drawn, and batch norm's statistics those of `clips` clips of each of
    `videos`: with others its deeper layers would hardly spike.
    """
    provenance = make_pretrain_provenance(recipe, videos)
    torch.manual_seed(recipe.training.seed)
    network = build_encoder(recipe, provenance)
    recalibrate_batch_norm(network, iter_clips(videos, recipe.clips, clips))
    return PretrainedModel(network.eval(), recipe, provenance)


def pixel_probe_accuracy(data: Dataset, per_class: int, seed: int = 0) -> float:
    """Return the share of test samples that a probe of the time means of their pixels tells right.

    It sees the labels that `probed` sees.
    """
    few = sample_per_class(data, per_class, seed)
    known, asked = (
        each.events.mean(axis=0, dtype="float32").reshape(len(each), -1)
        for each in (few, data.test)
    )
    return fit_linear_probe(known, few.labels, data.classes).accuracy(asked, data.test.labels)
