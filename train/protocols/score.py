"""All that the protocols say of a network, as plain numbers."""

from collections.abc import Sequence
from typing import Any

from .features import KINDS, Features
from .health import effective_rank, spread
from .neighbours import nearest, retrieval
from .probe import linear_probe


def scores(gallery: Features, queries: Features, kinds: Sequence[str] = KINDS) -> dict[str, Any]:
    """Return what `gallery` (training videos) says of `queries` (test videos), shares 0 to 1.

    For each of `kinds` of feature, "mean" over steps and steps "side_by_side", and each kind of
    label: "retrieval" by rank, weighted nearest neighbours ("knn") and a linear "probe". Of the
    queries themselves "consistency_error", that "by_step", "spread" and "effective_rank" of the
    mean.
    """
    told: dict[str, Any] = {
        "consistency_error": float(queries.errors.mean()),
        "by_step": queries.errors.mean(axis=0).tolist(),
        "spread": spread(queries.mean),
        "effective_rank": effective_rank(queries.mean),
    }
    for kind in kinds:
        known, asked = getattr(gallery, kind), getattr(queries, kind)
        told[kind] = {}
        for name, labels in gallery.labels.items():
            wanted = queries.labels[name]
            probe = linear_probe(known, labels, int(labels.max()) + 1)
            found = retrieval(asked, wanted, known, labels)
            told[kind][name] = {
                "retrieval": {str(rank): share for rank, share in found.items()},
                "knn": float((nearest(asked, known, labels) == wanted).mean()),
                "probe": probe.right(asked, wanted),
            }
    return told
