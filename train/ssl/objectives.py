"""Self-supervised objectives by name: table `[objective]` of a pretraining recipe."""

import math

from torch import Tensor

from .losses import barlow_twins, byol, info_nce, nt_xent, simsiam, vicreg
from .options import ObjectiveOptions
from .prednext import Views


def objective_loss(
    options: ObjectiveOptions,
    features: Views,
    predictions: Views | None,
    slow: Views | None,
    queue: Tensor | None,
) -> Tensor:
    """Compute the loss of an objective, scaled by `loss_scale`.

    Args:
        options: The objective.
        features: Time means of the two views, (samples, dimensions).
        predictions: The predictor's outputs for them, where there is one.
        slow: Time means from the momentum encoder, where there is one.
        queue: MoCo's keys, (keys, dimensions); its loss is the mean of both views as query.
    """
    name, (first, second) = options.name, features
    if name == "simclr":
        loss = nt_xent(first, second, options.temperature)
    elif name == "barlow_twins":
        loss = barlow_twins(first, second, options.redundancy)
    elif name == "vicreg":
        weights = options.invariance, options.variance, options.covariance
        loss = vicreg(first, second, *weights)
    elif name == "moco":
        assert slow is not None and queue is not None
        each = [
            info_nce(query, key, queue, options.temperature)
            for query, key in ((first, slow[1]), (second, slow[0]))
        ]
        loss = (each[0] + each[1]) / 2
    elif name == "simsiam":
        assert predictions is not None
        loss = simsiam(predictions, features)
    else:
        assert predictions is not None and slow is not None
        loss = byol(predictions, slow)
    return loss * loss_scale(options, len(first), first.shape[1])


def loss_scale(options: ObjectiveOptions, samples: int, dimensions: int) -> float:
    """Factor that gives a published loss about the weight of PredNext's.

    PredNext's terms are cosines, like SimSiam's: 0 for uninformative features, -1 at best. So each
    loss is divided by its value for uninformative features: the logarithm of the number of
    candidates, four (1 - cos), the dimensions, the two variance terms.
    """
    return {
        "simclr": 1 / math.log(max(2 * samples - 1, 2)),
        "moco": 1 / math.log(1 + options.queue_size),
        "byol": 1 / 4,
        "simsiam": 1.0,
        "barlow_twins": 1 / dimensions,
        "vicreg": 1 / max(2 * options.variance, 1.0),
    }[options.name]
