"""Self-supervised learning module: encoder, heads, momentum encoder, MoCo queue and losses."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..engine.distributed import all_gather, sync_batch_norm
from ..nn.network import SpikingNetwork
from .heads import mlp
from .momentum import ema_copy, ema_update, frozen_bn_stats
from .objectives import objective_loss
from .options import ObjectiveOptions, PredNextOptions
from .prednext import (
    PredictionTargets,
    PredNext,
    Views,
    temporal_consistency_error,
)


class SSLModule(nn.Module):
    """An encoder with projector, predictors, momentum encoder and queue.

    Only the encoder is kept after pretraining. Inputs are two views of each clip along the batch
    axis, (timesteps, 2 samples, *input shape): the first view of all clips, then the second.
    """

    queue: Tensor
    num_queued: Tensor

    def __init__(
        self, encoder: SpikingNetwork, objective: ObjectiveOptions, prednext: PredNextOptions
    ):
        super().__init__()
        self.objective, self.prednext_options = objective, prednext
        self.encoder = encoder
        encoder.layers[-1].requires_grad_(False)  # the read-out is not trained
        last_norm = objective.name == "simsiam"
        self.projector = mlp(encoder.feature_size, *objective.projector, last_norm=last_norm)
        dimensions = objective.projector[-1]
        sizes = (dimensions, objective.predictor_size, dimensions)
        predicts = objective.needs_predictor and prednext.weight < 1
        self.predictor = mlp(*sizes) if predicts else None
        self.prednext = PredNext(prednext, dimensions) if prednext.weight else None
        momentum = objective.needs_momentum_encoder or bool(
            prednext.weight and prednext.targets == "momentum"
        )
        self.momentum_encoder = ema_copy(encoder) if momentum else None
        self.momentum_projector = ema_copy(self.projector) if momentum else None
        keys = objective.queue_size if objective.name == "moco" else 0
        self.register_buffer("queue", functional.normalize(torch.randn(keys, dimensions), dim=1))
        self.register_buffer("num_queued", torch.zeros((), dtype=torch.long))

    def forward(self, now: Tensor, later: Tensor | None) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the weighted losses, and the projected features of the first view.

        In training it also updates MoCo's queue.

        Args:
            now: Two views of the clips.
            later: Two views of the later clips, where PredNext's clip prediction needs them.

        Returns:
            Losses by name, whose sum is minimized, and the features after the projector,
            (timesteps, samples, dimensions), without gradient.
        """
        projected = project_views(self.encoder, self.projector, now)
        means = projected[0].mean(dim=0), projected[1].mean(dim=0)
        slow = self._momentum_views(now)
        slow_means = None if slow is None else (slow[0].mean(dim=0), slow[1].mean(dim=0))
        weight = self.prednext_options.weight
        losses: dict[str, Tensor] = {}
        if weight < 1:
            predictions = None
            if self.predictor is not None:
                predictions = self.predictor(means[0]), self.predictor(means[1])
            queue = self.queue if len(self.queue) else None
            loss = objective_loss(self.objective, means, predictions, slow_means, queue)
            losses["objective"] = (1 - weight) * loss
        if self.prednext is not None:
            steps = projected if self._online_targets or slow is None else slow
            targets = PredictionTargets(steps, None if later is None else self._later_means(later))
            losses["prednext"] = weight * self.prednext(projected, targets)
        if self.objective.consistency_weight:
            both = torch.cat(projected, dim=1)
            losses["consistency"] = self.objective.consistency_weight * temporal_consistency_error(
                both
            )
        if self.training and slow_means is not None and len(self.queue):
            self._enqueue(slow_means[1])
        return losses, projected[0].detach()

    def sync_batch_norm(self) -> None:
        """Synchronize batch norm between processes; call it once they train together."""
        sync_batch_norm(self.encoder)
        if self.momentum_encoder is not None:
            sync_batch_norm(self.momentum_encoder)

    def update_momentum_encoder(self, momentum: float) -> None:
        """Update the momentum encoder and projector, if any, by an exponential moving average."""
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
        """Replace the oldest keys of the queue by `keys` (samples, dimensions)."""
        keys = functional.normalize(keys, dim=1)[-len(self.queue) :]
        slots = (self.num_queued + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue[slots] = keys
        self.num_queued.add_(len(keys))


def encode(encoder: SpikingNetwork, clips: Tensor) -> Tensor:
    """Flat features, the input of the read-out: (timesteps, samples, width)."""
    return encoder.features(clips).flatten(2)


def project_views(encoder: SpikingNetwork, projector: nn.Module, clips: Tensor) -> Views:
    """Features of both views after the projector, (timesteps, samples, dimensions).

    They are gathered from all processes, so that losses and heads see the whole batch. The
    projector is applied to one timestep after another: with batch norm over all of them at once,
    features could encode the index of the step, which predicts the next step's without the images.
    """
    views = [all_gather(half, 1) for half in encode(encoder, clips).chunk(2, dim=1)]
    projected = torch.stack([projector(step) for step in torch.cat(views, dim=1)])
    first, second = projected.chunk(2, dim=1)
    return first, second
