"""PredNext: each view predicts the other view's features at the next step and in a later clip.

Y. Dong et al., "PredNext: Explicit Cross-View Temporal Prediction for Unsupervised Learning in
Spiking Neural Networks", arXiv 2509.24844, 2025. Choices that the paper leaves open are marked at
the options.
"""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from .heads import mlp
from .losses import negative_cosine
from .options import PredNextOptions

Views = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class PredictionTargets:
    """Prediction targets of the two views, without gradient.

    Attributes:
        steps: Features at each step, (timesteps, samples, dimensions).
        later: Time means of the later clip, (samples, dimensions), for clip prediction.
    """

    steps: Views
    later: Views | None


class PredNext(nn.Module):
    """Step and clip predictors, and their loss."""

    def __init__(self, options: PredNextOptions, dimensions: int):
        super().__init__()
        self.options = options
        sizes = (dimensions, options.hidden, dimensions)
        self.step = mlp(*sizes) if options.step else None
        self.clip = mlp(*sizes) if options.clip else None

    def forward(self, features: Views, targets: PredictionTargets) -> Tensor:
        """Prediction loss for `features` (timesteps, samples, dimensions) of the two views.

        step  = sum over views i of 1/2 reduction_t D(P_T(z_i^t), z_j^(t + interval))
        clip  = sum over views i of 1/2 D(P_C(mean_t z_i^t), later_j)
        D(p, z) = -cos(p, z), mean over samples; j the other view (or the same, i)
        """
        loss = features[0].new_zeros(())
        for view, own in enumerate(features):
            target = 1 - view if self.options.cross_view else view
            if self.step is not None:
                loss = loss + 0.5 * self._step_loss(self.step, own, targets.steps[target])
            if self.clip is not None and targets.later is not None:
                later = targets.later[target]
                loss = loss + 0.5 * negative_cosine(self.clip(own.mean(dim=0)), later)
        return loss

    def _step_loss(self, predictor: nn.Module, own: Tensor, target: Tensor) -> Tensor:
        steps = len(own) - self.options.interval
        earlier = own[:steps]
        predicted = predictor(earlier.flatten(0, 1)).view_as(earlier)
        loss = negative_cosine(predicted, target[self.options.interval :])
        return loss * steps if self.options.reduction == "sum" else loss


def temporal_consistency_error(features: Tensor) -> Tensor:
    """Temporal consistency error of features (timesteps, samples, dimensions), 0 to 2.

        mean over samples and pairs t != s of 1 - cos(f^t, f^s)

    Equation 8 of the paper: 0 where features are constant over time. A zero feature has cosine 0
    with every feature, itself included.
    """
    timesteps = len(features)
    if timesteps < 2:
        return features.new_zeros(())
    unit = functional.normalize(features, dim=-1)
    total = unit.sum(dim=0).square().sum(dim=-1)
    self_similarity = unit.square().sum(dim=(0, 2))
    return (1 - (total - self_similarity) / (timesteps * (timesteps - 1))).mean()
