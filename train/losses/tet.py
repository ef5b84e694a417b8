"""TET (temporal efficient training): cross-entropy of every timestep.

    L = (1 - lambda) 1/T sum_t CE(z_t, y) + lambda mean_{t, i, c} (z_tic - phi)^2

Deng et al., "Temporal efficient training of spiking neural network via gradient re-weighting", ICLR
2022 (arXiv 2202.11946); phi is the threshold, 1. With lambda = 0 it is the time-wise cross-entropy
that later methods build on.
"""

from torch import Tensor

from .cross_entropy import stepwise_cross_entropy


def tet(
    logits: Tensor,
    labels: Tensor,
    regularization: float = 0.0,
    target: float = 1.0,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Batch mean of the TET loss.

    `logits` is (timesteps, batch, classes), `labels` int64 (batch,) or probabilities (batch,
    classes); `regularization` is lambda, 0 to 1, and `target` phi.
    """
    cross_entropy = stepwise_cross_entropy(logits, labels, label_smoothing)
    if not regularization:
        return cross_entropy
    pull = (logits - target).square().mean()
    return (1 - regularization) * cross_entropy + regularization * pull
