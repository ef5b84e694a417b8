"""TET: every time step must answer right by itself.

    L = (1 - lambda) 1/T sum_t CE(z_t, y) + lambda mean_{t, i, c} (z_tic - phi)^2

Deng et al., "Temporal efficient training of spiking neural network via gradient re-weighting", ICLR
2022 (arXiv 2202.11946); phi is the threshold, 1. With lambda = 0 it is the time-wise cross-entropy
that later methods build on.
"""

from torch import Tensor
from torch.nn import functional


def tet(logits: Tensor, labels: Tensor, regularization: float = 0.0, target: float = 1.0) -> Tensor:
    """Return the loss, averaged over the batch.

    `logits` is (timesteps, batch, classes), `labels` int64 (batch,); `regularisation` is lambda,
    0 to 1, and `target` phi.
    """
    timesteps = logits.shape[0]
    each = functional.cross_entropy(logits.flatten(0, 1), labels.repeat(timesteps))
    if not regularization:
        return each
    drawn = (logits - target).square().mean()
    return (1 - regularization) * each + regularization * drawn
