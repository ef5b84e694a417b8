"""Baselines of learned features: an untrained network, and the pixels."""

import numpy as np
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
    """Build the network that a run of `recipe` starts from, with recalibrated batch norm.

    Its weights are the initial ones; batch norm's statistics are those of `clips` clips of each of
    `videos`, since with the initial ones deeper layers would hardly spike.
    """
    provenance = make_pretrain_provenance(recipe, videos)
    torch.manual_seed(recipe.training.seed)
    network = build_encoder(recipe, provenance)
    recalibrate_batch_norm(network, iter_clips(videos, recipe.clips, clips))
    return PretrainedModel(network.eval(), recipe, provenance)


def pixel_probe_accuracy(data: Dataset, per_class: int, seed: int = 0) -> float:
    """Test accuracy of a linear probe on the time means of the pixels.

    It is fitted to the same labeled samples as `attach_linear_readout`.
    """
    labeled = sample_per_class(data, per_class, seed)
    train, test = (
        np.concatenate(
            [
                events.mean(axis=0, dtype="float32").reshape(len(batch), -1)
                for events, batch in part.batches(128)
            ]
        )
        for part in (labeled, data.test)
    )
    return fit_linear_probe(train, labeled.labels, data.classes).accuracy(test, data.test.labels)
