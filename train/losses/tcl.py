"""TCL and STCL: features of one class are drawn together, over all samples and all time steps.

With u = g(h) / |g(h)| for the features h of sample i at step t, anchors a over all (i, t), and
P(a) the other anchors of the same class:

    L = -1/|A| sum_a 1/|P(a)| sum_{p in P(a)} log [ exp(u_a . u_p / tau)
                                                    / sum_{b != a} exp(u_a . u_b / tau) ]

STCL takes two augmented views of every sample as further samples. Qiu et al., "Temporal contrastive
learning for spiking neural networks" (arXiv 2305.13909), of which the abstract alone was at hand:
this is the supervised contrastive loss (Khosla et al., NeurIPS 2020, the sum outside the logarithm)
over what the abstract names; temperature and head are this project's choice, not the paper's.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def projection_mlp(features: int, width: int = 128) -> nn.Sequential:
    """Return g, two linear maps with a ReLU between; training needs it, the chip does not."""
    return nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, width))


def tcl(projected: Tensor, labels: Tensor, temperature: float = 0.1) -> Tensor:
    """Return the loss, averaged over the anchors that have a positive; 0 where none has.

    `projected` is g(h), (timesteps, batch, width); `labels` int64 (batch,).
    """
    unit = functional.normalize(projected.flatten(0, 1), dim=-1)
    classes = labels.repeat(projected.shape[0])
    itself = torch.eye(len(classes), dtype=torch.bool, device=unit.device)
    alike = (unit @ unit.T / temperature).masked_fill(itself, -torch.inf)
    share = alike.log_softmax(dim=-1)
    positive = (classes[:, None] == classes[None, :]) & ~itself
    number = positive.sum(dim=-1)
    drawn = share.masked_fill(~positive, 0).sum(dim=-1) / number.clamp(min=1)
    return -drawn.sum() / (number > 0).sum().clamp(min=1)
