"""What features show without labels: whether they stand still, and whether they collapsed."""

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


def consistency_error_per_step(steps: Vectors) -> NDArray[np.float64]:
    """Return each step's mean of 1 - cosine with the others of its clip, (clips, timesteps).

    Their mean is the consistency error. `steps` is (clips, timesteps, width); the result float64.
    """
    length = np.linalg.norm(steps, axis=-1, keepdims=True)
    unit = steps / np.maximum(length, 1e-12)
    cosines = np.einsum("ntd,nsd->nts", unit, unit, dtype=np.float64)
    timesteps = steps.shape[1]
    others = cosines.sum(axis=2) - np.diagonal(cosines, axis1=1, axis2=2)
    errors: NDArray[np.float64] = 1 - others / (timesteps - 1)
    return errors


def feature_std(vectors: Vectors) -> float:
    """Return how far normalised features (videos, width) spread: 0 collapsed, 1 in all directions.

    The mean standard deviation of their dimensions, times the root of the width (SimSiam's test).
    """
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return float(unit.std(axis=0).mean() * np.sqrt(vectors.shape[1]))


def effective_rank(vectors: Vectors) -> float:
    """Return how many directions features (videos, width) use: 1 where all lie on a line.

    exp of the entropy of the centred features' singular values, as shares of their sum; 0 where
    features are all one. O. Roy and M. Vetterli, "The effective rank", 2007.
    """
    values = np.linalg.svd(vectors - vectors.mean(axis=0), compute_uv=False).astype(np.float64)
    if values.sum() <= 1e-9 * max(1.0, float(np.abs(vectors).max())):
        return 0.0
    shares = values[values > 0] / values.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))
