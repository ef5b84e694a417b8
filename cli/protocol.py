"""`pumice eval --protocol`: what a network has learned without labels."""

from pathlib import Path
from typing import Any, Literal

Protocol = Literal["all", "knn", "probe", "retrieval", "consistency", "collapse", "finetune"]
SCALAR_METRICS = {
    "consistency": ("consistency_error", "by_step"),
    "collapse": ("feature_std", "effective_rank"),
}
CLIPS_PER_VIDEO = 3  # of a video


def evaluate_protocol(run: Path, protocol: Protocol, folder: Path | None, as_json: bool) -> None:
    """Print what `protocol` says of the pretrained network of `run`, on its data's test part."""
    from ..train.data.video_sources import load_videos
    from ..train.evaluation.features import extract_features
    from ..train.evaluation.score import evaluate_features
    from ..train.ssl.pretrain import read_pretrained_model
    from .output import print_json

    pretrained = read_pretrained_model(run)
    recipe, network = pretrained.recipe, pretrained.network
    options = recipe.data.model_copy(update={"folder": folder or recipe.data.folder})
    train, test = load_videos(options, "train"), load_videos(options, "test")
    told: dict[str, Any] = {"run": str(run), "videos": len(test.lengths)}
    if protocol != "finetune":
        known, asked = (
            extract_features(network, each, recipe.clips, CLIPS_PER_VIDEO) for each in (train, test)
        )
        told |= evaluate_features(known, asked)
    if protocol in ("all", "finetune"):
        from ..train.evaluation.finetune import finetune, top_k_accuracy

        told["finetune"] = {}
        for label in train.labels:
            tuned = finetune(network, train, label, recipe.clips)
            right = top_k_accuracy(tuned, test, label, recipe.clips, CLIPS_PER_VIDEO)
            told["finetune"][label] = {str(rank): share for rank, share in right.items()}
    if as_json:
        print_json(told)
    else:
        _print_scores(told, protocol)


def _print_scores(told: dict[str, Any], protocol: Protocol) -> None:
    from .output import print_facts, print_table

    facts = {"videos": f"{told['videos']:,}"}
    for name, keys in SCALAR_METRICS.items():
        if protocol in ("all", name):
            facts |= {key.replace("_", " "): _number(told[key]) for key in keys}
    for label, shares in told.get("finetune", {}).items():
        facts |= {f"fine-tuned, {label}, top {k}": _percent(each) for k, each in shares.items()}
    print_facts(facts)
    wanted = [name for name in ("knn", "probe", "retrieval") if protocol in ("all", name)]
    rows = []
    for kind in ("mean", "concatenated") if wanted else ():
        for label, values in told[kind].items():
            shares = [_percent(values[name]) for name in wanted if name != "retrieval"]
            if "retrieval" in wanted:
                shares += [_percent(each) for each in values["retrieval"].values()]
            rows.append((kind.replace("_", " "), label, *shares))
    if rows:
        ranks = [f"R@{rank}" for rank in next(iter(told["mean"].values()))["retrieval"]]
        names = [name for name in wanted if name != "retrieval"]
        header = ("steps", "label", *names, *(ranks if "retrieval" in wanted else ()))
        print_table(header, rows, right=range(2, len(header)))


def _number(value: Any) -> str:
    return " ".join(f"{each:.3f}" for each in value) if isinstance(value, list) else f"{value:.3f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
