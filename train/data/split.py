"""Stratified train/test split."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError


def stratified_split(
    labels: NDArray[np.integer[Any]], per_class: int, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the remaining and of the held-out samples, `per_class` of each class, ascending.

    `labels`: integers (samples,). The held-out samples of a class are the first of a permutation
    drawn by `seed`, classes in ascending order. Raises `DataError` where `per_class` is below 1 or
    a class has no more samples than that.
    """
    if per_class < 1:
        raise DataError(f"held out: {per_class} samples per class, needs 1 or more")
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) <= per_class:
            raise DataError(
                f"held out: {per_class} samples per class, but class {label} has {len(members)}"
            )
        chosen[generator.permutation(members)[:per_class]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)
