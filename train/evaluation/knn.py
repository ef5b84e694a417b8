"""Evaluation without training: k-nearest neighbors and retrieval by cosine similarity."""

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from .features import Vectors

RANKS = (1, 5, 10, 20, 50)
TEMPERATURE = 0.07


def cosine_similarity(queries: Vectors, gallery: Vectors) -> Vectors:
    """Cosine similarity of each query with each of the gallery, (queries, gallery)."""
    unit = [each / np.maximum(_row_norms(each), 1e-12) for each in (queries, gallery)]
    cosines: Vectors = unit[0] @ unit[1].T
    return cosines


def knn_predict(
    queries: Vectors,
    gallery: Vectors,
    labels: NDArray[np.int64],
    k: int = 20,
    temperature: float = TEMPERATURE,
) -> NDArray[np.int64]:
    """Class of each query by weighted k-nearest neighbors, int64 (queries,).

    A neighbor's vote is exp(cosine / temperature), as in Z. Wu et al., "Unsupervised Feature
    Learning via Non-Parametric Instance Discrimination", 2018. `labels` are the gallery's.
    """
    cosines = cosine_similarity(queries, gallery)
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    weights = np.exp((np.take_along_axis(cosines, order, axis=1) - 1) / temperature)
    votes = np.zeros((len(queries), int(labels.max()) + 1))
    np.add.at(votes, (np.arange(len(queries))[:, None], labels[order]), weights)
    predictions: NDArray[np.int64] = votes.argmax(axis=1)
    return predictions


def recall_at_k(
    queries: Vectors,
    query_labels: NDArray[np.int64],
    gallery: Vectors,
    gallery_labels: NDArray[np.int64],
    ranks: tuple[int, ...] = RANKS,
) -> dict[int, float]:
    """R@k for each rank k: fraction of queries with one of their class among the k nearest.

    Queries are the test videos and the gallery the training videos, by cosine similarity. Raises
    `DataError` where one of them is empty.
    """
    if not len(queries) or not len(gallery):
        raise DataError(
            f"retrieval: has {len(queries)} queries and {len(gallery)} gallery videos, needs 1 or "
            "more of each"
        )
    order = np.argsort(-cosine_similarity(queries, gallery), axis=1, kind="stable")
    matches = gallery_labels[order] == query_labels[:, None]
    return {k: float(matches[:, :k].any(axis=1).mean()) for k in ranks}


def _row_norms(vectors: Vectors) -> Vectors:
    norms: Vectors = np.linalg.norm(vectors, axis=1, keepdims=True)
    return norms
