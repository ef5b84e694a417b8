"""Cross-entropy of the mean output over time, what is minimised unless said otherwise.

L = CE(1/T sum_t z_t, y)
"""

from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the loss, averaged over the batch.

    `logits` is (timesteps, batch, classes), `labels` int64 (batch,).
    """
    return functional.cross_entropy(logits.mean(dim=0), labels)
