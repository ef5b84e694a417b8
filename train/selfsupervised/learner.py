"""A network that learns without labels: its heads, its momentum copy, its queue, its loss."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..layers import Layer
from ..networks import SpikingNetwork
from .heads import perceptron
from .momentum import follow, follower, untouched_statistics
from .objectives import ObjectiveOptions, objective_loss
from .prednext import PredNext, PredNextOptions, Targets, Views, inconsistency
from .processes import gathered, share_statistics


class Learner(nn.Module):
    """The network `encoder` and what trains it; only the network is kept when training is done.

    Takes two views of clips side by side, (timesteps, 2 samples, *input shape): the first view of
    each clip, then the second.
    """

    queue: Tensor
    filled: Tensor

    def __init__(
        self, encoder: SpikingNetwork, objective: ObjectiveOptions, prednext: PredNextOptions
    ):
        super().__init__()
        self.objective, self.prednext_options = objective, prednext
        self.encoder = encoder
        encoder.layers[-1].requires_grad_(False)  # the read-out takes no part
        width = encoder_width(encoder)
        siamese = objective.name == "simsiam"
        self.projector = perceptron(width, *objective.projector, last_norm=siamese)
        dimensions = objective.projector[-1]
        sizes = (dimensions, objective.predictor, dimensions)
        predicts = objective.predicts and prednext.weight < 1
        self.predictor = perceptron(*sizes) if predicts else None
        self.prednext = PredNext(prednext, dimensions) if prednext.weight else None
        slow = objective.follows or bool(prednext.weight and prednext.targets == "momentum")
        self.slow_encoder = follower(encoder) if slow else None
        self.slow_projector = follower(self.projector) if slow else None
        keys = objective.queue if objective.name == "moco" else 0
        self.register_buffer("queue", functional.normalize(torch.randn(keys, dimensions), dim=1))
        self.register_buffer("filled", torch.zeros((), dtype=torch.long))

    def forward(self, now: Tensor, later: Tensor | None) -> tuple[dict[str, Tensor], Tensor]:
        """Return the parts of the loss, weighted, that add up to it, and the first view's features.

        `later` are two views of the later clips, where PredNext asks for them. Features are those
        after the projector, (timesteps, samples, dimensions), without gradient. Moves MoCo's queue
        on, in training.
        """
        projected = projected_views(self.encoder, self.projector, now)
        means = projected[0].mean(dim=0), projected[1].mean(dim=0)
        slow = self._slow(now)
        slow_means = None if slow is None else (slow[0].mean(dim=0), slow[1].mean(dim=0))
        weight = self.prednext_options.weight
        parts: dict[str, Tensor] = {}
        if weight < 1:
            predictions = None
            if self.predictor is not None:
                predictions = self.predictor(means[0]), self.predictor(means[1])
            queue = self.queue if len(self.queue) else None
            loss = objective_loss(self.objective, means, predictions, slow_means, queue)
            parts["objective"] = (1 - weight) * loss
        if self.prednext is not None:
            steps = projected if self._online or slow is None else slow
            targets = Targets(steps, None if later is None else self._later(later))
            parts["prednext"] = weight * self.prednext(projected, targets)
        if self.objective.consistency:
            both = torch.cat(projected, dim=1)
            parts["consistency"] = self.objective.consistency * inconsistency(both)
        if self.training and slow_means is not None and len(self.queue):
            self._queue_up(slow_means[1])
        return parts, projected[0].detach()

    def share_statistics(self) -> None:
        """Let several processes normalise by the statistics of all; call it once they train."""
        share_statistics(self.encoder)
        if self.slow_encoder is not None:
            share_statistics(self.slow_encoder)

    def follow(self, momentum: float) -> None:
        """Let the momentum copy, where there is one, move by the share 1 - `momentum`."""
        if self.slow_encoder is not None and self.slow_projector is not None:
            follow(self.slow_encoder, self.encoder, momentum)
            follow(self.slow_projector, self.projector, momentum)

    @property
    def _online(self) -> bool:
        return self.prednext_options.targets == "online"

    @torch.no_grad()
    def _slow(self, clips: Tensor) -> Views | None:
        if self.slow_encoder is None or self.slow_projector is None:
            return None
        return projected_views(self.slow_encoder, self.slow_projector, clips)

    @torch.no_grad()
    def _later(self, clips: Tensor) -> Views:
        views = None if self._online else self._slow(clips)
        if views is None:
            with untouched_statistics(self):
                views = projected_views(self.encoder, self.projector, clips)
        return views[0].mean(dim=0), views[1].mean(dim=0)

    @torch.no_grad()
    def _queue_up(self, keys: Tensor) -> None:
        """Put `keys` (samples, dimensions) in the place of the oldest."""
        keys = functional.normalize(keys, dim=1)[-len(self.queue) :]
        places = (self.filled + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue[places] = keys
        self.filled.add_(len(keys))


def encoder_width(encoder: SpikingNetwork) -> int:
    """Return how many values the read-out of `encoder` reads."""
    readout = encoder.nodes[-1]
    assert isinstance(readout, Layer)
    return readout.linear.weight.shape[1]


def encoded(encoder: SpikingNetwork, clips: Tensor) -> Tensor:
    """Return what the read-out reads, flat: (timesteps, samples, width)."""
    return encoder.features(clips).flatten(2)


def projected_views(encoder: SpikingNetwork, projector: nn.Module, clips: Tensor) -> Views:
    """Return the features of both views after the projector, (timesteps, samples, dimensions).

    Those of all processes, so that losses and heads see the whole batch. The projector takes one
    time step after another: with batch norm over all of them at once, features could say which step
    it is, which foretells the next step's without a look at the images.
    """
    views = [gathered(half, 1) for half in encoded(encoder, clips).chunk(2, dim=1)]
    projected = torch.stack([projector(step) for step in torch.cat(views, dim=1)])
    first, second = projected.chunk(2, dim=1)
    return first, second
