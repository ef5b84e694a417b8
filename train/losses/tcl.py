"""TCL and STCL: supervised contrastive losses over all samples and all timesteps.

With u = g(h) / |g(h)| for the features h of sample i at step t, anchors a over all (i, t), and
P(a) the other anchors of the same class:

    L = -1/|A| sum_a 1/|P(a)| sum_{p in P(a)} log [ exp(u_a . u_p / tau)
                                                    / sum_{b != a} exp(u_a . u_b / tau) ]

STCL takes two augmented views of every sample as further samples. Qiu et al., "Temporal contrastive
learning for spiking neural networks" (arXiv 2305.13909), of which only the abstract was available:
this is the supervised contrastive loss (Khosla et al., NeurIPS 2020, the sum outside the logarithm)
over what the abstract names; temperature and head are this project's choice, not the paper's.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def projection_mlp(features: int, width: int = 128) -> nn.Sequential:
    """Create g, an MLP with one hidden layer and ReLU; used in training only."""
    return nn.Sequential(nn.Linear(features, features), nn.ReLU(), nn.Linear(features, width))


def tcl(projected: Tensor, labels: Tensor, temperature: float = 0.1) -> Tensor:
    """Contrastive loss, mean over the anchors that have a positive; 0 where none has.

    `projected` is g(h), (timesteps, batch, width); `labels` int64 (batch,).
    """
    unit = functional.normalize(projected.flatten(0, 1), dim=-1)
    classes = labels.repeat(projected.shape[0])
    diagonal = torch.eye(len(classes), dtype=torch.bool, device=unit.device)
    similarity = (unit @ unit.T / temperature).masked_fill(diagonal, -torch.inf)
    log_probs = similarity.log_softmax(dim=-1)
    positive = (classes[:, None] == classes[None, :]) & ~diagonal
    num_positives = positive.sum(dim=-1)
    mean_log_probs = log_probs.masked_fill(~positive, 0).sum(dim=-1) / num_positives.clamp(min=1)
    return -mean_log_probs.sum() / (num_positives > 0).sum().clamp(min=1)
