"""TET (temporal efficient training): cross-entropy of every timestep.

    L = (1 - lambda) 1/T sum_t CE(z_t, y) + lambda mean_{t, i, c} (z_tic - phi)^2

Deng et al., "Temporal efficient training of spiking neural network via gradient re-weighting", ICLR
2022 (arXiv 2202.11946); phi is the threshold, 1. With lambda = 0 it is the time-wise cross-entropy
that later methods build on.
"""

from torch import Tensor
from torch.nn import functional


def tet(logits: Tensor, labels: Tensor, regularization: float = 0.0, target: float = 1.0) -> Tensor:
    """Batch mean of the TET loss.

    `logits` is (timesteps, batch, classes), `labels` int64 (batch,); `regularization` is lambda,
    0 to 1, and `target` phi.
    """
    timesteps = logits.shape[0]
    cross_entropy = functional.cross_entropy(logits.flatten(0, 1), labels.repeat(timesteps))
    if not regularization:
        return cross_entropy
    pull = (logits - target).square().mean()
    return (1 - regularization) * cross_entropy + regularization * pull
