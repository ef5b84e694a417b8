"""All metrics of pretrained features, as plain values."""

from collections.abc import Sequence
from typing import Any

from .features import FEATURE_KINDS, Features
from .knn import knn_predict, recall_at_k
from .probe import fit_linear_probe
from .representation_metrics import effective_rank, feature_std


def evaluate_features(
    gallery: Features, queries: Features, kinds: Sequence[str] = FEATURE_KINDS
) -> dict[str, Any]:
    """Evaluate features of test videos by those of training videos.

    Args:
        gallery: Features of the training videos.
        queries: Features of the test videos.
        kinds: "mean" over steps, and steps "concatenated".

    Returns:
        For each kind of feature and of label: "retrieval" by rank, weighted k-nearest neighbors
        ("knn") and linear "probe", accuracies 0 to 1. Of the queries: "consistency_error", the same
        "by_step", and "feature_std" and "effective_rank" of the means.
    """
    scores: dict[str, Any] = {
        "consistency_error": float(queries.consistency_errors.mean()),
        "by_step": queries.consistency_errors.mean(axis=0).tolist(),
        "feature_std": feature_std(queries.mean),
        "effective_rank": effective_rank(queries.mean),
    }
    for kind in kinds:
        train, test = getattr(gallery, kind), getattr(queries, kind)
        scores[kind] = {}
        for name, labels in gallery.labels.items():
            test_labels = queries.labels[name]
            probe = fit_linear_probe(train, labels, int(labels.max()) + 1)
            recalls = recall_at_k(test, test_labels, train, labels)
            scores[kind][name] = {
                "retrieval": {str(rank): recall for rank, recall in recalls.items()},
                "knn": float((knn_predict(test, train, labels) == test_labels).mean()),
                "probe": probe.accuracy(test, test_labels),
            }
    return scores
