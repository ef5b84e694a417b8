"""What the cells of the benchmark of PredNext say: the chosen weights, tables, a picture."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

Cell = dict[str, Any]
Path_ = tuple[str, ...]
Chosen = dict[tuple[str, str], float]  # the weight of an objective, for each of two reductions
PREDNEXT, SUMMED = "PredNext", "summed"
PROJECTED = ("history",)
# What is told of a cell: the words over it, and where it stands. The error is that of the network's
# features of the test digits; "projected", that of what the losses see, in the last epoch.
COLUMNS: dict[str, Path_] = {
    "error": ("consistency_error",),
    "projected": PROJECTED,
    "digit R@1": ("mean", "digit", "retrieval", "1"),
    "digit kNN": ("mean", "digit", "knn"),
    "digit probe": ("mean", "digit", "probe"),
    "motion R@1": ("mean", "motion", "retrieval", "1"),
    "motion probe": ("mean", "motion", "probe"),
    "digit probe, steps": ("side_by_side", "digit", "probe"),
    "motion R@1, steps": ("side_by_side", "motion", "retrieval", "1"),
    "motion probe, steps": ("side_by_side", "motion", "probe"),
    "spread": ("spread",),
    "rank": ("effective_rank",),
}
SHARES = ("R@1", "kNN", "probe")
ABLATED = "simclr"  # the objective whose ablations are told


def found(cell: Cell, path: Sequence[str], part: str = "test") -> float:
    """Return the number of a cell that stands at `path`."""
    if path == PROJECTED:
        *_, last = csv.DictReader(cell["history"].splitlines())
        return float(last["inconsistency"])
    value: Any = cell[part]
    for word in path:
        value = value[word]
    return float(value)


def group(cells: dict[str, Cell], objective: str, variant: str, weight: float) -> list[Cell]:
    """Return the cells of all seeds."""
    start = f"{objective}/{variant}/{weight}/"
    return [cell for name, cell in cells.items() if name.startswith(start)]


def chosen_weights(cells: dict[str, Cell], objectives: Sequence[str]) -> Chosen:
    """Return the weight of each objective that does best on the validation digits.

    Once where PredNext takes the mean of the steps, once where it sums them up. Objectives that
    have not been measured with and without PredNext are left out.
    """
    chosen: Chosen = {}
    for objective in objectives:
        for variant in (PREDNEXT, SUMMED):
            start = f"{objective}/{variant}/"
            weights = sorted({float(n.split("/")[2]) for n in cells if n.startswith(start)})
            if weights and group(cells, objective, "plain", 0.0):
                merits = [_merit(group(cells, objective, variant, weight)) for weight in weights]
                chosen[objective, variant] = weights[int(np.argmax(merits))]
    return chosen


def _merit(seeds: list[Cell]) -> float:
    paths = [COLUMNS[name] for name in ("digit R@1", "digit probe")]
    return float(np.mean([found(cell, path, "validation") for cell in seeds for path in paths]))


def tables(cells: dict[str, Cell], chosen: Chosen) -> list[tuple[str, list[str], list[list[Any]]]]:
    """Return title, header and rows of each table; means over seeds, and standard deviations."""
    rows: list[list[Any]] = []
    for (objective, variant), weight in chosen.items():
        parts = [("plain", 0.0), (variant, weight), ("step only", weight), ("clip only", weight)]
        told = parts if variant == PREDNEXT else [(variant, weight)]
        rows += [_row(cells, objective, *p) for p in told if group(cells, objective, *p)]
    gains = [_gain(cells, *which, weight) for which, weight in chosen.items()]
    others = [("pixels", 0.0), ("untrained", 0.0), ("plain", 0.0)]
    others.append(("same view", chosen.get((ABLATED, PREDNEXT), 0.0)))
    others.append(("cross view alone", 1.0))
    forced = sorted({float(n.split("/")[2]) for n in cells if n.startswith(f"{ABLATED}/forced/")})
    others += [("same view alone", 1.0), *(("forced", weight) for weight in forced)]
    search = [
        _row(cells, objective, variant, float(weight), "validation")
        for objective, variant, weight, seed in (name.split("/") for name in sorted(cells))
        if variant in (PREDNEXT, SUMMED) and seed == "0" and objective != "recorded"
    ]
    header = ["objective", "variant", "weight", *COLUMNS, "seconds"]
    summary = [
        ("Test digits, means over seeds ± standard deviation", header, rows),
        ("What PredNext changes, in points (error as it is)", _gain_header(), gains),
        ("Controls and ablations", header, [_row(cells, ABLATED, *each) for each in others]),
        ("The search for the weight, on validation digits", header, search),
    ]
    return [*summary, *_recorded(cells)]


def _row(
    cells: dict[str, Cell], objective: str, variant: str, weight: float, part: str = "test"
) -> list[Any]:
    seeds = group(cells, objective, variant, weight)
    values = [
        _spread([found(c, path, part) for c in seeds if path[0] in {*c, *c[part]}], name)
        for name, path in COLUMNS.items()
    ]
    seconds = f"{np.mean([c['seconds'] for c in seeds]):.0f}" if seeds else "-"
    return [objective, variant, weight, *values, seconds]


def _spread(values: list[float], name: str) -> str:
    if not values:
        return "-"
    mean, deviation = float(np.mean(values)), float(np.std(values))
    if any(word in name for word in SHARES):
        return f"{100 * mean:.1f} ± {100 * deviation:.1f}"
    return f"{mean:.1f} ± {deviation:.1f}" if name == "rank" else f"{mean:.3f} ± {deviation:.3f}"


def _gain_header() -> list[str]:
    return ["objective", "variant", "weight", *COLUMNS, "time"]


def _gain(cells: dict[str, Cell], objective: str, variant: str, weight: float) -> list[Any]:
    plain, with_it = (
        group(cells, objective, *each) for each in (("plain", 0.0), (variant, weight))
    )
    changes = []
    for name, path in COLUMNS.items():
        before, after = (np.mean([found(c, path) for c in part]) for part in (plain, with_it))
        scale = 100 if any(word in name for word in SHARES) else 1
        changes.append(f"{scale * (after - before):+.{1 if scale > 1 or name == 'rank' else 3}f}")
    cost = np.mean([c["seconds"] for c in with_it]) / np.mean([c["seconds"] for c in plain])
    return [objective, variant, weight, *changes, f"x {cost:.2f}"]


def _recorded(cells: dict[str, Cell]) -> list[tuple[str, list[str], list[list[Any]]]]:
    rows = []
    told = (("pixels", 0.0), ("untrained", 0.0), ("plain", 0.0), ("PredNext", 0.5))
    for variant, weight in told:
        seeds = group(cells, "recorded", variant, weight)
        if seeds:
            shown = ("recording_R@1", "recording_R@5", "consistency_error")
            means = [f"{np.mean([c[name] for c in seeds]):.3f}" for name in shown]
            chance = f"{1 / seeds[0]['videos']:.3f}"
            rows.append([variant, seeds[0]["videos"], seeds[0]["left_out"], *means, chance])
    header = ["variant", "videos", "left out", "R@1", "R@5", "error", "R@1 by chance"]
    return [("Recorded videos: the other half of a recording", header, rows)] if rows else []


def picture(path: Path, cells: dict[str, Cell], chosen: Chosen) -> None:
    """Draw the consistency error beside what is known, lines from without PredNext to with."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4), layout="constrained")
    shown = ("digit R@1", "digit probe", "motion R@1")
    for place, name in enumerate(shown, 1):
        axes = figure.add_subplot(1, len(shown), place)
        colours: dict[str, str] = {}
        for (objective, variant), weight in chosen.items():
            points = []
            for each in (("plain", 0.0), (variant, weight)):
                seeds = group(cells, objective, *each)
                paths = COLUMNS["error"], COLUMNS[name]
                points.append([float(np.mean([found(c, p) for c in seeds])) for p in paths])
            (x0, y0), (x1, y1) = points
            label = None if objective in colours else objective
            colour = colours.setdefault(objective, f"C{len(colours)}")
            style, mark = ("-", "o") if variant == PREDNEXT else (":", "s")
            axes.plot([x0, x1], [100 * y0, 100 * y1], style, color=colour, label=label)
            axes.plot([x0], [100 * y0], "o", color=colour, fillstyle="none")
            axes.plot([x1], [100 * y1], mark, color=colour)
        axes.set(xlabel="temporal consistency error", ylabel=f"{name}, %")
        axes.legend(fontsize=7)
    figure.suptitle("open: without PredNext; filled: with it; squares: steps summed up")
    figure.savefig(path, dpi=120)
