"""Part `prednext` of `bench.evidence`: objectives with and without PredNext on `fashion-motions`.

Each cell pretrains a network without labels on 6,000 videos for 1,488 steps and evaluates its
features on the middle clip of 4,000 test videos, which share no garment with the training videos.
Settings are those of the recipe `fashion-motions`; nothing of PredNext was tuned. All cells of a
seed start from the same weights and see the same clips in the same order.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.evidence.cells import Cell, CellResult, Context, Page, Part, Results, pack_bits

RECIPE = "fashion-motions"
FOLDER = "fashion_mnist"
OBJECTIVES = ("simsiam", "simclr", "barlow_twins", "moco", "byol", "vicreg")
SEEDS = (0, 1)
PLAIN, PREDNEXT, UNTRAINED, PIXELS = "plain", "PredNext", "untrained", "pixels"
WEIGHT = 0.5
FORCED_WEIGHT = 0.8  # published
VARIANTS: dict[str, tuple[str, ...]] = {
    PLAIN: ("prednext.weight=0",),
    PREDNEXT: (),
    "step only": ("prednext.clip=false",),
    "clip only": ("prednext.step=false",),
    "later clip as second view": ("prednext.weight=0", "views.second=later"),
    "same view": ("prednext.cross_view=false",),
    "forced consistency": ("prednext.weight=0", f"objective.consistency_weight={FORCED_WEIGHT}"),
    "steps summed": ("prednext.reduction=sum",),
    "PredNext without objective": ("prednext.weight=1",),
    "same view without objective": ("prednext.weight=1", "prednext.cross_view=false"),
    "plain, global pooling": ("prednext.weight=0", "network.global_pool=true"),
    "PredNext, global pooling": ("network.global_pool=true",),
}
CONTROLS = ("step only", "clip only", "later clip as second view", "same view",
            "forced consistency")  # fmt: skip
OTHERS = ("steps summed", "PredNext without objective", "same view without objective",
          "plain, global pooling", "PredNext, global pooling")  # fmt: skip
ABLATED = "simsiam"  # as in the paper
LABEL_FRACTIONS = (0.01, 0.1)
FINETUNE_EPOCHS = {0.01: 60, 0.1: 20}
QUICK = ("training.epochs=1", "network.channels=[4,8]", "objective.queue_size=64")
QUICK_VIDEOS = 160


def list_cells(context: Context, results: Results) -> Sequence[Cell]:
    """List all cells, the most important first."""
    if not context.has(FOLDER):
        return []
    first, later = OBJECTIVES[:3], OBJECTIVES[3:]
    if context.quick:
        variants = (PLAIN, PREDNEXT)
        return [_cell(UNTRAINED, 0, context), *_cells((ABLATED,), variants, 0, context)]
    cells = [_cell(PIXELS, 0, context), _cell(UNTRAINED, 0, context)]
    cells += _cells(first, (PLAIN, PREDNEXT), 0, context)
    cells += _cells((ABLATED,), CONTROLS, 0, context)
    cells += _cells(later, (PLAIN, PREDNEXT), 0, context)
    for seed in SEEDS[1:]:
        cells += [*_cells(first, (PLAIN, PREDNEXT), seed, context), _cell(UNTRAINED, seed, context)]
        cells += _cells(later, (PLAIN, PREDNEXT), seed, context)
        cells += _cells((ABLATED,), CONTROLS, seed, context)
    for seed in SEEDS:
        cells += _cells((ABLATED,), OTHERS, seed, context)
    return cells


def _cells(
    objectives: Iterable[str], variants: Iterable[str], seed: int, context: Context
) -> list[Cell]:
    return [
        _cell(f"{objective}: {variant}", seed, context, f"objective.name={objective}",
              *VARIANTS[variant])
        for objective in objectives
        for variant in variants
    ]  # fmt: skip


def _cell(name: str, seed: int, context: Context, *overrides: str) -> Cell:
    """Cell whose settings are those that differ from the defaults of a recipe."""
    recipe = _load_recipe([*overrides, *(QUICK if context.quick else ())], seed)
    settings = recipe.model_dump(mode="json", exclude_defaults=True)
    baseline = name if name in (PIXELS, UNTRAINED) else None
    return Cell("prednext", name, {"baseline": baseline, "recipe": settings}, seed)


def _load_recipe(overrides: Sequence[str], seed: int) -> Any:
    from pumice.train.recipes.loader import load_recipe

    return load_recipe(RECIPE, [*overrides, f"training.seed={seed}"], kind="pretraining")


def measure(cell: Cell, context: Context) -> dict[str, Any]:
    """Pretrain a network and evaluate its features on validation and test videos."""
    from pumice.train.evaluation.features import extract_features, pixel_features
    from pumice.train.ssl.recipe import PretrainRecipe

    recipe = PretrainRecipe.model_validate(cell.settings["recipe"])
    parts = _load_parts(context)
    if cell.settings["baseline"] == PIXELS:
        features = {name: pixel_features(each, recipe.clips) for name, each in parts.items()}
        return _evaluate(features)
    network, values = _make_network(cell, recipe, parts["train"], context)
    features = {name: extract_features(network, each, recipe.clips) for name, each in parts.items()}
    return values | _evaluate(features) | {"finetuned": _finetune(network, parts, recipe)}


def _load_parts(context: Context) -> dict[str, Any]:
    """Videos by part; in a quick run, a few of the validation part for all."""
    from pumice.train.data.fashion_motions import load_garment_videos

    folder = context.data / FOLDER
    if context.quick:
        videos = load_garment_videos("validation", folder)
        few = np.linspace(0, len(videos) - 1, 3 * QUICK_VIDEOS).astype(np.int64)
        return {
            part: videos.select(few[number::3])
            for number, part in enumerate(("train", "validation", "test"))
        }
    return {
        "train": load_garment_videos("train", folder),
        "validation": load_garment_videos("validation", folder),
        "test": load_garment_videos("test", folder),
    }


def _make_network(
    cell: Cell, recipe: Any, videos: Any, context: Context
) -> tuple[Any, dict[str, Any]]:
    """The pretrained or untrained network, and values of its last epoch."""
    import csv
    import tempfile

    from pumice.train.evaluation.baselines import untrained_baseline
    from pumice.train.ssl.pretrain import pretrain

    if cell.settings["baseline"] == UNTRAINED:
        return untrained_baseline(recipe, videos).network, {}
    with tempfile.TemporaryDirectory(dir=context.scratch) as folder:
        run = Path(folder) / "run"
        network = pretrain(recipe, videos, run).network
        *_, last = csv.DictReader((run / "history.csv").read_text(encoding="utf-8").splitlines())
    names = ("loss", "temporal_consistency_error", "feature_std")
    return network, {"last_epoch": {name: float(last[name]) for name in names}}


def _evaluate(features: dict[str, Any]) -> dict[str, Any]:
    """Correctness of each test video by each metric, and accuracies on validation videos.

    Features are means over the steps for the look, and the steps side by side for the motion.
    """
    from pumice.train.evaluation.knn import knn_predict
    from pumice.train.evaluation.probe import fit_linear_probe
    from pumice.train.evaluation.representation_metrics import effective_rank, feature_std

    gallery = features["train"]
    look, motion = gallery.labels["look"], gallery.labels["motion"]
    look_probe = fit_linear_probe(gallery.mean, look, int(look.max()) + 1)
    motion_probe = fit_linear_probe(gallery.concatenated, motion, int(motion.max()) + 1)
    values: dict[str, Any] = {}
    for part in ("validation", "test"):
        queries = features[part]
        correct = {
            "R@1": _nearest(queries.mean, gallery.mean, look) == queries.labels["look"],
            "20-NN": knn_predict(queries.mean, gallery.mean, look) == queries.labels["look"],
            "probe": look_probe.predict(queries.mean) == queries.labels["look"],
            "motion probe": motion_probe.predict(queries.concatenated) == queries.labels["motion"],
        }
        errors = queries.consistency_errors.mean(axis=1)
        if part == "validation":
            values["validation"] = {k: float(v.mean()) for k, v in correct.items()}
            values["validation"]["error"] = float(errors.mean())
        else:
            values["test"] = {name: pack_bits(each) for name, each in correct.items()}
            values["test"]["error"] = np.round(errors, 4).tolist()
    values["feature_std"] = feature_std(features["test"].mean)
    values["effective_rank"] = effective_rank(features["test"].mean)
    return values


def _nearest(
    queries: NDArray[np.float32], gallery: NDArray[np.float32], labels: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Label of the nearest video of the gallery by cosine similarity."""
    from pumice.train.evaluation.knn import cosine_similarity

    nearest: NDArray[np.int64] = labels[cosine_similarity(queries, gallery).argmax(axis=1)]
    return nearest


def _finetune(network: Any, parts: dict[str, Any], recipe: Any) -> dict[str, Any]:
    """Correctness of each test video after fine-tuning with a fraction of the labels."""
    import torch

    from pumice.train.data.split import stratified_split
    from pumice.train.evaluation.features import iter_clips
    from pumice.train.evaluation.finetune import finetune

    train, test = parts["train"], parts["test"]
    values = {}
    for fraction in LABEL_FRACTIONS:
        per_class = max(round(fraction * len(train) / 10), 1)
        _, chosen = stratified_split(train.labels["look"], per_class, recipe.training.seed)
        epochs = FINETUNE_EPOCHS[fraction]
        tuned = finetune(network, train.select(chosen), "look", recipe.clips, epochs)
        with torch.no_grad():
            logits = [tuned(clips).sum(dim=0) for clips in iter_clips(test, recipe.clips)]
        predicted = torch.cat(logits).argmax(dim=1).numpy()
        values[str(fraction)] = pack_bits(predicted == test.labels["look"])
    return values


def report(results: Sequence[CellResult], folder: Path) -> Page:
    """Tables, claims and figures of the results."""
    from bench.evidence.prednext_report import make_page

    return make_page(results, OBJECTIVES)


PART = Part(
    "prednext",
    list_cells,
    measure,
    report,
    ("bench/evidence/prednext.py", "train/ssl/*.py", "train/data/fashion_motions.py",
     "train/data/clips.py", "train/evaluation/features.py", "train/evaluation/knn.py",
     "train/evaluation/probe.py", "train/evaluation/finetune.py"),
)  # fmt: skip
