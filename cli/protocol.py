"""`pumice eval --protocol`: what a network has learned without labels."""

from pathlib import Path
from typing import Any, Literal

Protocol = Literal["all", "knn", "probe", "retrieval", "consistency", "collapse", "finetune"]
PLAIN = {
    "consistency": ("consistency_error", "by_step"),
    "collapse": ("spread", "effective_rank"),
}
CLIPS = 3  # of a video


def evaluate_protocol(run: Path, protocol: Protocol, folder: Path | None, as_json: bool) -> None:
    """Print what `protocol` says of the pretrained network of `run`, on its data's test part."""
    from ..train.data.video_sources import videos_of
    from ..train.pretrain import read_pretrained
    from ..train.protocols.features import features_of
    from ..train.protocols.score import scores
    from .output import print_json

    pretrained = read_pretrained(run)
    recipe, network = pretrained.recipe, pretrained.network
    options = recipe.data.model_copy(update={"folder": folder or recipe.data.folder})
    train, test = videos_of(options, "train"), videos_of(options, "test")
    told: dict[str, Any] = {"run": str(run), "videos": len(test.lengths)}
    if protocol != "finetune":
        known, asked = (features_of(network, each, recipe.clips, CLIPS) for each in (train, test))
        told |= scores(known, asked)
    if protocol in ("all", "finetune"):
        from ..train.protocols.finetune import fine_tuned, told_right

        told["finetune"] = {}
        for label in train.labels:
            tuned = fine_tuned(network, train, label, recipe.clips)
            right = told_right(tuned, test, label, recipe.clips, CLIPS)
            told["finetune"][label] = {str(rank): share for rank, share in right.items()}
    if as_json:
        print_json(told)
    else:
        _show(told, protocol)


def _show(told: dict[str, Any], protocol: Protocol) -> None:
    from .output import print_facts, print_table

    facts = {"videos": f"{told['videos']:,}"}
    for name, keys in PLAIN.items():
        if protocol in ("all", name):
            facts |= {key.replace("_", " "): _number(told[key]) for key in keys}
    for label, shares in told.get("finetune", {}).items():
        facts |= {f"fine-tuned, {label}, top {k}": _percent(each) for k, each in shares.items()}
    print_facts(facts)
    wanted = [name for name in ("knn", "probe", "retrieval") if protocol in ("all", name)]
    rows = []
    for kind in ("mean", "side_by_side") if wanted else ():
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
