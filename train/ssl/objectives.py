"""The six objectives as a recipe names them: table `[objective]`."""

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from .losses import barlow_twins, byol, info_nce, nt_xent, simsiam, vicreg
from .prednext import Views

ObjectiveName = Literal["simclr", "moco", "byol", "simsiam", "barlow_twins", "vicreg"]
OBJECTIVES: tuple[ObjectiveName, ...] = (
    "simclr",
    "moco",
    "byol",
    "simsiam",
    "barlow_twins",
    "vicreg",
)


class ObjectiveOptions(BaseModel):
    """What features are to be like, without labels, and the heads that this is asked through.

    The projector has layers of the sizes `projector` after the network, at each time step; losses
    see the mean over steps. `predictor` is the hidden size of BYOL's and SimSiam's predictor.
    `temperature` is SimCLR's and MoCo's; MoCo's `queue` holds so many keys; the copy of `momentum`
    (MoCo, BYOL) follows ever more slowly, from this share kept a step to 1; `redundancy` is Barlow
    Twins' lambda; `invariance`, `variance` and `covariance` are VICReg's weights.

    `consistency` adds that multiple of the temporal consistency error, which forces features to
    stand still: the baseline that PredNext is to beat.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: ObjectiveName
    projector: tuple[int, ...] = Field(default=(256, 64), min_length=1)
    predictor: int = Field(default=64, ge=1)
    temperature: float = Field(default=0.2, gt=0)
    queue_size: int = Field(default=512, ge=1)
    momentum: float = Field(default=0.99, ge=0, le=1)
    redundancy: float = Field(default=5e-3, ge=0)
    invariance: float = Field(default=25.0, ge=0)
    variance: float = Field(default=25.0, ge=0)
    covariance: float = Field(default=1.0, ge=0)
    consistency_weight: float = Field(default=0.0, ge=0)

    @property
    def needs_momentum_encoder(self) -> bool:
        """Whether it needs a momentum copy."""
        return self.name in ("moco", "byol")

    @property
    def needs_predictor(self) -> bool:
        """Whether it needs a predictor."""
        return self.name in ("byol", "simsiam")


def objective_loss(
    options: ObjectiveOptions,
    features: Views,
    predictions: Views | None,
    slow: Views | None,
    queue: Tensor | None,
) -> Tensor:
    """Return the loss of `options`, scaled as `scale` says.

    `features`: time means of the two views, (samples, dimensions). `predictions`: what the
    predictor makes of them, and `slow`: the momentum copy's, where the objective has these. `queue`
    (keys, dimensions): MoCo's; its loss is the mean of both views as query.
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
    """Return what a published loss is multiplied by, to weigh about as much as PredNext's.

    PredNext's terms are cosines, like SimSiam's: for features that say nothing they are 0, and the
    best is -1. So each loss is divided by what it falls from for features that say nothing: the
    logarithm of the number of candidates, four (1 - cos), the dimensions, the two variance terms.
    """
    return {
        "simclr": 1 / math.log(max(2 * samples - 1, 2)),
        "moco": 1 / math.log(1 + options.queue_size),
        "byol": 1 / 4,
        "simsiam": 1.0,
        "barlow_twins": 1 / dimensions,
        "vicreg": 1 / max(2 * options.variance, 1.0),
    }[options.name]
