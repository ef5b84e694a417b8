"""All that the protocols say of a network, as plain numbers."""

from collections.abc import Sequence
from typing import Any

from .features import FEATURE_KINDS, Features
from .knn import knn_predict, recall_at_k
from .probe import fit_linear_probe
from .representation_metrics import effective_rank, feature_std


def evaluate_features(
    gallery: Features, queries: Features, kinds: Sequence[str] = FEATURE_KINDS
) -> dict[str, Any]:
    """Return what `gallery` (training videos) says of `queries` (test videos), shares 0 to 1.

    For each of `kinds` of feature, "mean" over steps and steps "concatenated", and each kind of
    label: "retrieval" by rank, weighted nearest neighbours ("knn") and a linear "probe". Of the
    queries themselves "consistency_error", that "by_step", "feature_std" and "effective_rank" of the
    mean.
    """
    told: dict[str, Any] = {
        "consistency_error": float(queries.consistency_errors.mean()),
        "by_step": queries.consistency_errors.mean(axis=0).tolist(),
        "feature_std": feature_std(queries.mean),
        "effective_rank": effective_rank(queries.mean),
    }
    for kind in kinds:
        known, asked = getattr(gallery, kind), getattr(queries, kind)
        told[kind] = {}
        for name, labels in gallery.labels.items():
            wanted = queries.labels[name]
            probe = fit_linear_probe(known, labels, int(labels.max()) + 1)
            found = recall_at_k(asked, wanted, known, labels)
            told[kind][name] = {
                "retrieval": {str(rank): share for rank, share in found.items()},
                "knn": float((knn_predict(asked, known, labels) == wanted).mean()),
                "probe": probe.accuracy(asked, wanted),
            }
    return told
