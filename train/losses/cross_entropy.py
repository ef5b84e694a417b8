"""Cross-entropy of the mean logits over time, the default loss, and of every running mean.

    cross-entropy           L = CE(zbar_T, y)
    prefix cross-entropy    L = 1/T sum_{t<=T} CE(zbar_t, y)

zbar_t is the mean of z_1 .. z_t: what a run that stops after step t answers.
"""

import torch
from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Batch mean of the cross-entropy.

    `logits` is (timesteps, batch, classes), `labels` int64 (batch,) or probabilities (batch,
    classes).
    """
    mean = logits.mean(dim=0)
    return functional.cross_entropy(mean, labels, label_smoothing=label_smoothing)


def prefix_cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Mean over batch and prefixes of the cross-entropy; arguments as of `cross_entropy`."""
    return stepwise_cross_entropy(running_means(logits), labels, label_smoothing)


def stepwise_cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    """Mean over batch and steps of the cross-entropy of each step's logits."""
    repeated = labels.repeat(len(logits), *[1] * (labels.dim() - 1))
    return functional.cross_entropy(logits.flatten(0, 1), repeated, label_smoothing=label_smoothing)


def running_means(logits: Tensor) -> Tensor:
    """Means zbar_t of the logits of the first t steps, (timesteps, batch, classes)."""
    counts = torch.arange(1, len(logits) + 1, device=logits.device, dtype=logits.dtype)
    return logits.cumsum(dim=0) / counts.view(-1, 1, 1)
