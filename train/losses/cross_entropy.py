"""Cross-entropy of the mean logits over time, the default loss.

L = CE(1/T sum_t z_t, y)
"""

from torch import Tensor
from torch.nn import functional


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Batch mean of the cross-entropy.

    `logits` is (timesteps, batch, classes), `labels` int64 (batch,).
    """
    return functional.cross_entropy(logits.mean(dim=0), labels)
