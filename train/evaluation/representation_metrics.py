"""Metrics of features without labels: temporal consistency and collapse."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


def consistency_error_per_step(steps: Vectors) -> NDArray[np.float64]:
    """Mean of 1 - cosine between each step and the others of its clip, (clips, timesteps).

    Their mean is the temporal consistency error. `steps` is (clips, timesteps, width); the result
    is float64.
    """
    norms = np.linalg.norm(steps, axis=-1, keepdims=True)
    unit = steps / np.maximum(norms, 1e-12)
    cosines = np.einsum("ntd,nsd->nts", unit, unit, dtype=np.float64)
    timesteps = steps.shape[1]
    others = cosines.sum(axis=2) - np.diagonal(cosines, axis1=1, axis2=2)
    errors: NDArray[np.float64] = 1 - others / (timesteps - 1)
    return errors


def feature_std(vectors: Vectors) -> float:
    """Mean standard deviation of normalized features, scaled: 0 collapsed, 1 isotropic.

    The mean over the dimensions of features (videos, width), times the root of the width (SimSiam's
    test).
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return float(unit.std(axis=0).mean() * np.sqrt(vectors.shape[1]))


def effective_rank(vectors: Vectors) -> float:
    """Effective rank of features (videos, width): 1 where all lie on a line.

    exp of the entropy of the centered features' singular values, as fractions of their sum; 0 where
    all features are equal. O. Roy and M. Vetterli, "The effective rank", 2007.
    """
    values = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False).astype(np.float64)
    if values.sum() <= 1e-9 * max(1.0, float(np.abs(vectors).max())):
        return 0.0
    fractions = values[values > 0] / values.sum()
    return float(np.exp(-(fractions * np.log(fractions)).sum()))
