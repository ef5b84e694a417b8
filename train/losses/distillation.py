"""Distillation from the network's own predictions, or from those of other models.

    TWSD    1/T sum_t tau^2 KL(S(zbar_T) || S(z_t))
    TPD     1/(T - 1) sum_{t<T} CE(S(zbar_{t+1}), S(zbar_t))
    PKD     1/(T - 1) sum_{t<T} tau^2 KL(S(zbar_T) || S(zbar_t))
    PKD from a model q      1/T sum_{t<=T} tau^2 KL(S(q) || S(zbar_t))
    from a model q          tau^2 KL(S(q) || S(zbar_T))
    from a model q, steps   1/T sum_t tau^2 KL(S(q) || S(z_t))

S(x) = softmax(x / tau), zbar_t the mean of the first t steps; the first of each pair is detached.
PKD, prefix distillation, is this project's: like TPD it acts on the running means, what a run that
stops early answers, and so leaves the steps free to complement each other. Distillation from a
model is Hinton et al. (arXiv 1503.02531), over steps TWKL of arXiv 2501.15925.
TWSD: arXiv 2501.15925 (ICML 2025), tau = 3, weight 0.5, with time-wise cross-entropy; its published
code takes the mean of the correct steps only, its paper, as here, of all. TPD: MEOM (ICLR 2026),
weight 0.3. Both are known from notes on the papers, not from their text.
"""

from torch import Tensor
from torch.nn import functional

from .cross_entropy import running_means


def twsd(logits: Tensor, temperature: float = 3.0) -> Tensor:
    """Time-wise self-distillation, batch mean; `logits` is (timesteps, batch, classes)."""
    return soft_divergence(logits.mean(dim=0, keepdim=True), logits, temperature)


def tpd(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """Distillation of each running mean from the next, batch mean; 0 with a single timestep."""
    timesteps = logits.shape[0]
    if timesteps == 1:
        return logits.sum() * 0
    softened = running_means(logits) / temperature
    target = softened[1:].detach().softmax(dim=-1)
    return functional.cross_entropy(softened[:-1].flatten(0, 1), target.flatten(0, 1))


def prefix_distillation(
    logits: Tensor, temperature: float = 2.0, teacher: Tensor | None = None
) -> Tensor:
    """PKD, batch mean; without a `teacher` 0 with a single timestep.

    `logits` is (timesteps, batch, classes); `teacher` (batch, classes) holds the logits of another
    model, None the network's own full answer.
    """
    means = running_means(logits)
    if teacher is not None:
        return soft_divergence(teacher, means, temperature)
    if len(logits) == 1:
        return logits.sum() * 0
    return soft_divergence(means[-1], means[:-1], temperature)


def distillation(
    logits: Tensor, teacher: Tensor, temperature: float = 3.0, over: str = "mean"
) -> Tensor:
    """Distillation from `teacher` (batch, classes), batch mean.

    `logits` is (timesteps, batch, classes); their mean learns, or, `over` "steps", each of them.
    """
    student = logits.mean(dim=0) if over == "mean" else logits
    return soft_divergence(teacher, student, temperature)


def soft_divergence(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """Mean of tau^2 KL(softmax(teacher / tau) || softmax(student / tau)), `teacher` detached."""
    target = (teacher.detach() / temperature).log_softmax(dim=-1)
    learned = (student / temperature).log_softmax(dim=-1)
    return temperature**2 * (target.exp() * (target - learned)).sum(dim=-1).mean()
