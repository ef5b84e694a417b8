"""Self-supervised objectives by name: table `[objective]` of a pretraining recipe."""

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
    """A self-supervised objective and its heads.

    - `name`: objective.
    - `projector`: layer sizes of the projector after the network, applied at each timestep; losses
      see the mean over timesteps.
    - `predictor`: hidden size of BYOL's and SimSiam's predictor.
    - `temperature`: of SimCLR and MoCo.
    - `queue_size`: number of MoCo's keys.
    - `momentum`: initial momentum of the momentum encoder (MoCo, BYOL), which rises to 1.
    - `redundancy`: lambda of Barlow Twins.
    - `invariance`, `variance`, `covariance`: weights of VICReg.
    - `consistency_weight`: weight of the temporal consistency error, added to the loss: forced
      consistency, the baseline of PredNext.
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
        """True for objectives with a momentum encoder."""
        return self.name in ("moco", "byol")

    @property
    def needs_predictor(self) -> bool:
        """True for objectives with a predictor."""
        return self.name in ("byol", "simsiam")


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
