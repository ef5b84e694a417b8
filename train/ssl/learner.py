"""A network that learns without labels: its heads, its momentum copy, its queue, its loss."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..engine.distributed import all_gather, sync_batch_norm
from ..nn.layers import SpikingLayer
from ..nn.network import SpikingNetwork
from .heads import mlp
from .momentum import ema_copy, ema_update, frozen_bn_stats
from .objectives import ObjectiveOptions, objective_loss
from .prednext import (
    PredictionTargets,
    PredNext,
    PredNextOptions,
    Views,
    temporal_consistency_error,
)


class SSLModule(nn.Module):
    """The network `encoder` and what trains it; only the network is kept when training is done.

    Takes two views of clips side by side, (timesteps, 2 samples, *input shape): the first view of
    each clip, then the second.
    """

    queue: Tensor
    num_queued: Tensor

    def __init__(
        self, encoder: SpikingNetwork, objective: ObjectiveOptions, prednext: PredNextOptions
    ):
        super().__init__()
        self.objective, self.prednext_options = objective, prednext
        self.encoder = encoder
        encoder.layers[-1].requires_grad_(False)  # the read-out takes no part
        width = encoder_width(encoder)
        siamese = objective.name == "simsiam"
        self.projector = mlp(width, *objective.projector, last_norm=siamese)
        dimensions = objective.projector[-1]
        sizes = (dimensions, objective.predictor, dimensions)
        predicts = objective.needs_predictor and prednext.weight < 1
        self.predictor = mlp(*sizes) if predicts else None
        self.prednext = PredNext(prednext, dimensions) if prednext.weight else None
        slow = objective.needs_momentum_encoder or bool(
            prednext.weight and prednext.targets == "momentum"
        )
        self.momentum_encoder = ema_copy(encoder) if slow else None
        self.momentum_projector = ema_copy(self.projector) if slow else None
        keys = objective.queue_size if objective.name == "moco" else 0
        self.register_buffer("queue", functional.normalize(torch.randn(keys, dimensions), dim=1))
        self.register_buffer("num_queued", torch.zeros((), dtype=torch.long))

    def forward(self, now: Tensor, later: Tensor | None) -> tuple[dict[str, Tensor], Tensor]:
        """Return the parts of the loss, weighted, that add up to it, and the first view's features.

        `later` are two views of the later clips, where PredNext asks for them. Features are those
        after the projector, (timesteps, samples, dimensions), without gradient. Moves MoCo's queue
        on, in training.
        """
        projected = project_views(self.encoder, self.projector, now)
        means = projected[0].mean(dim=0), projected[1].mean(dim=0)
        slow = self._momentum_views(now)
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
            steps = projected if self._online_targets or slow is None else slow
            targets = PredictionTargets(steps, None if later is None else self._later_means(later))
            parts["prednext"] = weight * self.prednext(projected, targets)
        if self.objective.consistency_weight:
            both = torch.cat(projected, dim=1)
            parts["consistency"] = self.objective.consistency_weight * temporal_consistency_error(
                both
            )
        if self.training and slow_means is not None and len(self.queue):
            self._enqueue(slow_means[1])
        return parts, projected[0].detach()

    def sync_batch_norm(self) -> None:
        """Let several processes normalise by the statistics of all; call it once they train."""
        sync_batch_norm(self.encoder)
        if self.momentum_encoder is not None:
            sync_batch_norm(self.momentum_encoder)

    def update_momentum_encoder(self, momentum: float) -> None:
        """Let the momentum copy, where there is one, move by the share 1 - `momentum`."""
        if self.momentum_encoder is not None and self.momentum_projector is not None:
            ema_update(self.momentum_encoder, self.encoder, momentum)
            ema_update(self.momentum_projector, self.projector, momentum)

    @property
    def _online_targets(self) -> bool:
        return self.prednext_options.targets == "online"

    @torch.no_grad()
    def _momentum_views(self, clips: Tensor) -> Views | None:
        if self.momentum_encoder is None or self.momentum_projector is None:
            return None
        return project_views(self.momentum_encoder, self.momentum_projector, clips)

    @torch.no_grad()
    def _later_means(self, clips: Tensor) -> Views:
        views = None if self._online_targets else self._momentum_views(clips)
        if views is None:
            with frozen_bn_stats(self):
                views = project_views(self.encoder, self.projector, clips)
        return views[0].mean(dim=0), views[1].mean(dim=0)

    @torch.no_grad()
    def _enqueue(self, keys: Tensor) -> None:
        """Put `keys` (samples, dimensions) in the place of the oldest."""
        keys = functional.normalize(keys, dim=1)[-len(self.queue) :]
        places = (self.num_queued + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue[places] = keys
        self.num_queued.add_(len(keys))


def encoder_width(encoder: SpikingNetwork) -> int:
    """Return how many values the read-out of `encoder` reads."""
    readout = encoder.layer_list[-1]
    assert isinstance(readout, SpikingLayer)
    return readout.linear.weight.shape[1]


def encode(encoder: SpikingNetwork, clips: Tensor) -> Tensor:
    """Return what the read-out reads, flat: (timesteps, samples, width)."""
    return encoder.features(clips).flatten(2)


def project_views(encoder: SpikingNetwork, projector: nn.Module, clips: Tensor) -> Views:
    """Return the features of both views after the projector, (timesteps, samples, dimensions).

    Those of all processes, so that losses and heads see the whole batch. The projector takes one
    time step after another: with batch norm over all of them at once, features could say which step
    it is, which foretells the next step's without a look at the images.
    """
    views = [all_gather(half, 1) for half in encode(encoder, clips).chunk(2, dim=1)]
    projected = torch.stack([projector(step) for step in torch.cat(views, dim=1)])
    first, second = projected.chunk(2, dim=1)
    return first, second
