"""Losses of six self-supervised objectives, as published.

Features are floating point (samples, dimensions): row n of one view belongs to row n of the other.
"""

import torch
from torch import Tensor
from torch.nn import functional

VARIANCE_EPSILON = 1e-4  # VICReg's epsilon


def nt_xent(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """NT-Xent loss of SimCLR: identify the other view of a sample among all views.

    With z the 2N normalized features and s_ij = z_i . z_j / temperature,

        mean over i of -log( exp(s_ij) / sum_{k != i} exp(s_ik) ),   j the other view of i

    T. Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", 2020.
    """
    both = functional.normalize(torch.cat([first, second]), dim=1)
    similarity = both @ both.T / temperature
    similarity = similarity.masked_fill(
        torch.eye(len(both), dtype=torch.bool, device=both.device), -torch.inf
    )
    other = torch.arange(len(both), device=both.device).roll(len(first))
    return functional.cross_entropy(similarity, other)


def info_nce(query: Tensor, key: Tensor, queue: Tensor, temperature: float) -> Tensor:
    """InfoNCE loss of MoCo: identify a sample's key among those in the queue, (keys, dimensions).

        mean of -log( e^(q.k/t) / (e^(q.k/t) + sum over the queue of e^(q.k'/t)) )

    with normalized features; gradients reach the queries alone. K. He et al., "Momentum Contrast
    for Unsupervised Visual Representation Learning", 2020.
    """
    query = functional.normalize(query, dim=1)
    key, queue = (functional.normalize(keys.detach(), dim=1) for keys in (key, queue))
    positive = (query * key).sum(dim=1, keepdim=True)
    logits = torch.cat([positive, query @ queue.T], dim=1) / temperature
    return functional.cross_entropy(logits, logits.new_zeros(len(query), dtype=torch.long))


def negative_cosine(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean of -cos(prediction, target) over all but the last axis; the target is detached."""
    return -functional.cosine_similarity(prediction, target.detach(), dim=-1).mean()


def simsiam(predictions: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor]) -> Tensor:
    """SimSiam loss: negative cosine of each view's prediction and the other view's feature.

        D(p_1, z_2) / 2 + D(p_2, z_1) / 2,   D(p, z) = -cos(p, z) with z constant

    X. Chen and K. He, "Exploring Simple Siamese Representation Learning", 2021.
    """
    first = negative_cosine(predictions[0], targets[1])
    return 0.5 * first + 0.5 * negative_cosine(predictions[1], targets[0])


def byol(predictions: tuple[Tensor, Tensor], targets: tuple[Tensor, Tensor]) -> Tensor:
    """BYOL loss; `targets` come from the momentum encoder.

        |p_1 - z_2|^2 + |p_2 - z_1|^2 = (2 - 2 cos(p_1, z_2)) + (2 - 2 cos(p_2, z_1))

    for normalized features, z constant. J.-B. Grill et al., "Bootstrap Your Own Latent", 2020.
    """
    return 4 + 4 * simsiam(predictions, targets)


def barlow_twins(first: Tensor, second: Tensor, redundancy: float) -> Tensor:
    """Barlow Twins loss on the cross-correlation C of the two views, over samples.

        sum_i (1 - C_ii)^2 + redundancy * sum_{i != j} C_ij^2

    J. Zbontar et al., "Barlow Twins: Self-Supervised Learning via Redundancy Reduction", 2021.
    """
    first, second = (functional.normalize(z - z.mean(dim=0), dim=0) for z in (first, second))
    correlation = first.T @ second
    diagonal = correlation.diagonal()
    off_diagonal = correlation.square().sum() - diagonal.square().sum()
    return (1 - diagonal).square().sum() + redundancy * off_diagonal


def vicreg(
    first: Tensor, second: Tensor, invariance: float, variance: float, covariance: float
) -> Tensor:
    """VICReg loss over N samples and D dimensions.

        invariance * MSE(z, z') + variance * (v(z) + v(z')) + covariance * (c(z) + c(z'))
        v(z) = mean over dimensions of max(0, 1 - sqrt(Var(z) + 1e-4))
        c(z) = sum_{i != j} Cov(z)_ij^2 / D

    Var and Cov divide by N - 1; MSE is the mean over samples and dimensions, as in the authors'
    code (which halves v; the equation does not, nor do we). A. Bardes, J. Ponce and Y. LeCun,
    "VICReg: Variance-Invariance-Covariance Regularization", 2022.
    """
    loss = invariance * functional.mse_loss(first, second)
    for features in (first, second):
        centered = features - features.mean(dim=0)
        covariances = centered.T @ centered / (len(features) - 1)
        variances = covariances.diagonal()
        hinge = functional.relu(1 - (variances + VARIANCE_EPSILON).sqrt()).mean()
        off_diagonal = covariances.square().sum() - variances.square().sum()
        loss = loss + variance * hinge + covariance * off_diagonal / features.shape[1]
    return loss
