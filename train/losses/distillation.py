"""Self-distillation: TWSD from the mean prediction over time, TPD from the next step's.

    TWSD    1/T sum_t tau^2 KL(S(zbar_T) || S(z_t))
    TPD     1/(T - 1) sum_{t<T} CE(S(zbar_{t+1}), S(zbar_t))

S(x) = softmax(x / tau), zbar_t the mean of the first t steps; the first of each pair is detached.
TWSD: arXiv 2501.15925 (ICML 2025), tau = 3, weight 0.5, with time-wise cross-entropy; its published
code takes the mean of the correct steps only, its paper, as here, of all. TPD: MEOM (ICLR 2026),
weight 0.3. Both are known from notes on the papers, not from their text.
"""

import torch
from torch import Tensor
from torch.nn import functional


def twsd(logits: Tensor, temperature: float = 3.0) -> Tensor:
    """Time-wise self-distillation, batch mean; `logits` is (timesteps, batch, classes)."""
    teacher = (logits.mean(dim=0, keepdim=True) / temperature).log_softmax(dim=-1).detach()
    student = (logits / temperature).log_softmax(dim=-1)
    divergence = (teacher.exp() * (teacher - student)).sum(dim=-1)
    return temperature**2 * divergence.mean()


def tpd(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Distillation of each running mean from the next, batch mean; 0 with a single timestep."""
    timesteps = logits.shape[0]
    if timesteps == 1:
        return logits.sum() * 0
    counts = torch.arange(1, timesteps + 1, device=logits.device, dtype=logits.dtype)
    running_mean = logits.cumsum(dim=0) / counts.view(-1, 1, 1) / temperature
    target = running_mean[1:].detach().softmax(dim=-1)
    return functional.cross_entropy(running_mean[:-1].flatten(0, 1), target.flatten(0, 1))
