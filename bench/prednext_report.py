"""Chosen weights, tables and plots of the results of `bench.prednext`."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Cell = dict[str, Any]
KeyPath = tuple[str, ...]
ChosenWeights = dict[tuple[str, str], float]  # by objective and reduction
PREDNEXT, SUMMED = "PredNext", "summed"
PROJECTED = ("history",)
# Column titles and keys of the metrics of a cell. "error" is that of the features of the test
# digits; "projected" that of the projections that enter the losses, in the last epoch.
COLUMNS: dict[str, KeyPath] = {
    "error": ("consistency_error",),
    "projected": PROJECTED,
    "digit R@1": ("mean", "digit", "retrieval", "1"),
    "digit kNN": ("mean", "digit", "knn"),
    "digit probe": ("mean", "digit", "probe"),
    "motion R@1": ("mean", "motion", "retrieval", "1"),
    "motion probe": ("mean", "motion", "probe"),
    "digit probe, steps": ("concatenated", "digit", "probe"),
    "motion R@1, steps": ("concatenated", "motion", "retrieval", "1"),
    "motion probe, steps": ("concatenated", "motion", "probe"),
    "feature std": ("feature_std",),
    "rank": ("effective_rank",),
}
PERCENT_METRICS = ("R@1", "kNN", "probe")
ABLATION_OBJECTIVE = "simclr"  # the objective whose ablations are reported


def get_metric(cell: Cell, path: Sequence[str], part: str = "test") -> float:
    """Look up the metric of a cell at `path`."""
    if path == PROJECTED:
        *_, last = csv.DictReader(cell["history"].splitlines())
        return float(last["temporal_consistency_error"])
    value: Any = cell[part]
    for word in path:
        value = value[word]
    return float(value)


def select_cells(cells: dict[str, Cell], objective: str, variant: str, weight: float) -> list[Cell]:
    """Cells of all seeds."""
    start = f"{objective}/{variant}/{weight}/"
    return [cell for name, cell in cells.items() if name.startswith(start)]


def choose_weights(cells: dict[str, Cell], objectives: Sequence[str]) -> ChosenWeights:
    """Choose the best weight of each objective on the validation digits, for mean and sum.

    Objectives that were not measured both with and without PredNext are skipped.
    """
    chosen: ChosenWeights = {}
    for objective in objectives:
        for variant in (PREDNEXT, SUMMED):
            start = f"{objective}/{variant}/"
            weights = sorted({float(n.split("/")[2]) for n in cells if n.startswith(start)})
            if weights and select_cells(cells, objective, "plain", 0.0):
                scores = [
                    _validation_score(select_cells(cells, objective, variant, weight))
                    for weight in weights
                ]
                chosen[objective, variant] = weights[int(np.argmax(scores))]
    return chosen


def _validation_score(seeds: list[Cell]) -> float:
    paths = [COLUMNS[name] for name in ("digit R@1", "digit probe")]
    return float(
        np.mean([get_metric(cell, path, "validation") for cell in seeds for path in paths])
    )


def build_tables(
    cells: dict[str, Cell], chosen: ChosenWeights
) -> list[tuple[str, list[str], list[list[Any]]]]:
    """Build title, header and rows of each table: means over seeds and standard deviations."""
    rows: list[list[Any]] = []
    for (objective, variant), weight in chosen.items():
        parts = [("plain", 0.0), (variant, weight), ("step only", weight), ("clip only", weight)]
        reported = parts if variant == PREDNEXT else [(variant, weight)]
        rows += [
            _metrics_row(cells, objective, *part)
            for part in reported
            if select_cells(cells, objective, *part)
        ]
    gains = [_gain_row(cells, *key, weight) for key, weight in chosen.items()]
    others = [("pixels", 0.0), ("untrained", 0.0), ("plain", 0.0)]
    others.append(("same view", chosen.get((ABLATION_OBJECTIVE, PREDNEXT), 0.0)))
    others.append(("cross view alone", 1.0))
    forced = sorted(
        {float(n.split("/")[2]) for n in cells if n.startswith(f"{ABLATION_OBJECTIVE}/forced/")}
    )
    others += [("same view alone", 1.0), *(("forced", weight) for weight in forced)]
    search = [
        _metrics_row(cells, objective, variant, float(weight), "validation")
        for objective, variant, weight, seed in (name.split("/") for name in sorted(cells))
        if variant in (PREDNEXT, SUMMED) and seed == "0" and objective != "recorded"
    ]
    header = ["objective", "variant", "weight", *COLUMNS, "seconds"]
    summary = [
        ("Test digits, means over seeds ± standard deviation", header, rows),
        ("Difference with PredNext, in percentage points (error: absolute)", _gain_header(), gains),
        (
            "Controls and ablations",
            header,
            [_metrics_row(cells, ABLATION_OBJECTIVE, *each) for each in others],
        ),
        ("Search for the weight, on validation digits", header, search),
    ]
    return [*summary, *_recorded_tables(cells)]


def _metrics_row(
    cells: dict[str, Cell], objective: str, variant: str, weight: float, part: str = "test"
) -> list[Any]:
    seeds = select_cells(cells, objective, variant, weight)
    values = [
        _mean_std([get_metric(c, path, part) for c in seeds if path[0] in {*c, *c[part]}], name)
        for name, path in COLUMNS.items()
    ]
    seconds = f"{np.mean([c['seconds'] for c in seeds]):.0f}" if seeds else "-"
    return [objective, variant, weight, *values, seconds]


def _mean_std(values: list[float], name: str) -> str:
    if not values:
        return "-"
    mean, deviation = float(np.mean(values)), float(np.std(values))
    if any(word in name for word in PERCENT_METRICS):
        return f"{100 * mean:.1f} ± {100 * deviation:.1f}"
    return f"{mean:.1f} ± {deviation:.1f}" if name == "rank" else f"{mean:.3f} ± {deviation:.3f}"


def _gain_header() -> list[str]:
    return ["objective", "variant", "weight", *COLUMNS, "time"]


def _gain_row(cells: dict[str, Cell], objective: str, variant: str, weight: float) -> list[Any]:
    plain, with_it = (
        select_cells(cells, objective, *each) for each in (("plain", 0.0), (variant, weight))
    )
    changes = []
    for name, path in COLUMNS.items():
        before, after = (np.mean([get_metric(c, path) for c in part]) for part in (plain, with_it))
        scale = 100 if any(word in name for word in PERCENT_METRICS) else 1
        changes.append(f"{scale * (after - before):+.{1 if scale > 1 or name == 'rank' else 3}f}")
    cost = np.mean([c["seconds"] for c in with_it]) / np.mean([c["seconds"] for c in plain])
    return [objective, variant, weight, *changes, f"x {cost:.2f}"]


def _recorded_tables(cells: dict[str, Cell]) -> list[tuple[str, list[str], list[list[Any]]]]:
    rows = []
    variants = (("pixels", 0.0), ("untrained", 0.0), ("plain", 0.0), ("PredNext", 0.5))
    for variant, weight in variants:
        seeds = select_cells(cells, "recorded", variant, weight)
        if seeds:
            metrics = ("recording_R@1", "recording_R@5", "consistency_error")
            means = [f"{np.mean([c[name] for c in seeds]):.3f}" for name in metrics]
            chance = f"{1 / seeds[0]['videos']:.3f}"
            rows.append([variant, seeds[0]["videos"], seeds[0]["skipped"], *means, chance])
    header = ["variant", "videos", "skipped", "R@1", "R@5", "error", "R@1 by chance"]
    return [("Recorded videos: the other half of a recording", header, rows)] if rows else []


def plot_consistency(path: Path, cells: dict[str, Cell], chosen: ChosenWeights) -> None:
    """Plot accuracy against consistency error; lines connect results without and with PredNext."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    metrics = ("digit R@1", "digit probe", "motion R@1")
    for position, name in enumerate(metrics, 1):
        axes = figure.add_subplot(1, len(metrics), position)
        colors: dict[str, str] = {}
        for (objective, variant), weight in chosen.items():
            points = []
            for each in (("plain", 0.0), (variant, weight)):
                seeds = select_cells(cells, objective, *each)
                paths = COLUMNS["error"], COLUMNS[name]
                points.append([float(np.mean([get_metric(c, p) for c in seeds])) for p in paths])
            (x0, y0), (x1, y1) = points
            label = None if objective in colors else objective
            color = colors.setdefault(objective, f"C{len(colors)}")
            style, mark = ("-", "o") if variant == PREDNEXT else (":", "s")
            axes.plot([x0, x1], [100 * y0, 100 * y1], style, color=color, label=label)
            axes.plot([x0], [100 * y0], "o", color=color, fillstyle="none")
            axes.plot([x1], [100 * y1], mark, color=color)
        axes.set(xlabel="temporal consistency error", ylabel=f"{name}, %")
        axes.legend(fontsize=7)
    figure.suptitle("open: without PredNext; filled: with it; squares: summed steps")
    figure.savefig(path, dpi=120)
