"""Tables and claims of accuracies after each timestep, paired with cross-entropy."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.evidence.cells import CellResult, Page, common_seeds, group_by_name, unpack_bits
from bench.evidence.statistics import Estimate, Scores, estimate, paired_difference
from bench.results import Cell as Value
from bench.results import Claim, Figure, Table
from pumice.runtime.files import atomic_write

BASELINE, OWN = "CE", "PKD"
MIN_EARLY_GAIN = 10.0  # of PKD at T = 1, in points
MAX_FULL_LOSS = 0.3  # lower end of the interval at full T, in points
MAX_QUANTIZATION_GAP = 0.3  # between integers and floats, in points
Blocks = list[Scores]
Groups = Mapping[str, Sequence[CellResult]]
REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
NOTE = "95 % intervals over seeds and test samples; with one seed, over the samples alone."


@dataclass(frozen=True)
class Labels:
    """Words of a page.

    Attributes:
        data: Name of the data.
        regimes: Last parts of the cells' names; each is a table.
        published: Losses of papers.
        chosen_on: Samples on which settings were chosen.
    """

    data: str
    regimes: Sequence[str]
    published: Sequence[str]
    chosen_on: str


def make_page(results: Sequence[CellResult], labels: Labels, folder: Path) -> Page:
    """Tables of accuracies and of differences by regime, a plot of each, and claims."""
    groups = group_by_name(results)
    tables, claims, figures = [], [], []
    for regime in labels.regimes:
        suffix = f", {regime}"
        chosen = {n.removesuffix(suffix): g for n, g in groups.items() if n.endswith(suffix)}
        if not chosen:
            continue
        tables += [make_accuracy_table(chosen, labels, regime)]
        if BASELINE in chosen and len(chosen) > 1:
            tables.append(make_difference_table(chosen, labels, regime))
            claims += list(check_claims(chosen, labels, regime))
        figures.append(plot_curves(chosen, labels, regime, folder))
    return Page(tables, claims, figures)


def make_accuracy_table(groups: Groups, labels: Labels, regime: str) -> Table:
    """Accuracies in percent, with what tells why: single steps, fit, rounding, operations."""
    steps = shown_timesteps(groups)
    columns = ["loss", *(f"T = {t}" for t in steps), "last step alone", "training samples",
               "validation", "integers - floats", "synaptic operations", "seeds"]  # fmt: skip
    rows: list[list[Value]] = []
    for name, group in groups.items():
        scores = [scores_at(group, t) for t in steps]
        gap = paired_difference(scores_at(group, steps[-1]), scores_at(group, steps[-1], "float"))
        rows.append(
            [
                name,
                *(str(estimate(each)) for each in scores),
                100 * mean_of(group, "alone"),
                100 * mean_of(group, "train"),
                100 * mean_of(group, "validation"),
                gap.format_signed(),
                int(np.mean([result.values["operations"] for result in group])),
                len(group),
            ]
        )
    title = f"{labels.data}, {regime}: accuracy of the integer network in % after T timesteps"
    return Table(title, columns, rows, f"{NOTE} Settings were chosen on {labels.chosen_on}.")


def make_difference_table(groups: Groups, labels: Labels, regime: str) -> Table:
    """Differences to cross-entropy in points, paired over seeds and samples."""
    steps = shown_timesteps(groups)
    rows = []
    for name in groups:
        if name == BASELINE:
            continue
        differences = [difference(groups, name, BASELINE, t) for t in steps]
        cells = [each.format_signed() if each else None for each in differences]
        rows.append([name, *cells, differences[0].runs if differences[0] else 0])
    title = f"{labels.data}, {regime}: difference to cross-entropy, points"
    return Table(title, ["loss", *(f"T = {t}" for t in steps), "seeds"], rows, NOTE)


def check_claims(groups: Groups, labels: Labels, regime: str) -> Iterator[Claim]:
    """Yield the claims of ETC, TCL and STCL, and of this project's PKD."""
    last = timesteps_of(groups)
    papers = {"ETC": "ETC", "TCL": "TCL/STCL", "STCL": "TCL/STCL"}
    for loss, paper in papers.items():
        for t, what in ((1, "with one timestep"), (last, "with all timesteps")):
            gain = difference(groups, loss, BASELINE, t)
            if gain:
                claim = f"{loss} is more accurate than cross-entropy {what}"
                yield make_claim(paper, claim, gain, gain.low > 0, labels, regime)
    early, full = (difference(groups, OWN, BASELINE, t) for t in (1, last))
    if early and full:
        claim = f"PKD gains {MIN_EARLY_GAIN:g} points or more with one timestep"
        yield make_claim("this project", claim, early, early.mean >= MIN_EARLY_GAIN, labels, regime)
        claim = f"PKD loses less than {MAX_FULL_LOSS} points with all timesteps"
        met = full.low > -MAX_FULL_LOSS
        yield make_claim("this project", claim, full, met, labels, regime)
        yield from _compare_with_published(groups, labels, regime)


def _compare_with_published(groups: Groups, labels: Labels, regime: str) -> Iterator[Claim]:
    """Yield whether PKD's curve is above those of all published losses after every timestep."""
    last, behind, count = timesteps_of(groups), [], 0
    for name in labels.published:
        for t in range(1, last + 1):
            each = difference(groups, OWN, name, t)
            count += each is not None
            if each and each.mean <= 0:
                behind.append(f"{name} at T = {t}: {each.format_signed()}")
    if count:
        seeds = min(len(groups[name]) for name in (OWN, *labels.published) if name in groups)
        yield Claim(
            "this project",
            "PKD is above all published losses after every timestep",
            NOT_REPRODUCED if behind else REPRODUCED,
            "; ".join(behind) or f"above in all {count} comparisons",
            f"{labels.data}, {regime}, {seeds} seeds",
        )


def make_claim(
    paper: str, claim: str, found: Estimate, met: bool, labels: Labels, regime: str
) -> Claim:
    """Make a claim about a difference."""
    seeds = f"{found.runs} seed{'s' if found.runs > 1 else ''}"
    where = f"{labels.data}, {regime}, {found.samples:,} test samples, {seeds}"
    figure = f"{found.format_signed()} points"
    return Claim(paper, claim, REPRODUCED if met else NOT_REPRODUCED, figure, where)


def difference(groups: Groups, first: str, second: str, timestep: int) -> Estimate | None:
    """Difference of two losses after a timestep, in points; None where no seed has both."""
    if first not in groups or second not in groups:
        return None
    pairs = list(common_seeds(groups[first], groups[second]))
    if not pairs:
        return None
    a, b = zip(*pairs, strict=True)
    return paired_difference(scores_at(a, timestep), scores_at(b, timestep))


def scores_at(group: Sequence[CellResult], timestep: int, kind: str = "integer") -> Blocks:
    """100 where a sample is classified correctly after a timestep, else 0, (seeds, samples).

    Results of folds are blocks; all have the same seeds.
    """
    folds = sorted({result.cell.settings.get("fold", 0) for result in group})
    return [
        np.array(
            [
                100.0 * unpack_bits(result.values[kind])[timestep - 1]
                for result in group
                if result.cell.settings.get("fold", 0) == fold
            ]
        )
        for fold in folds
    ]


def mean_of(group: Sequence[CellResult], name: str) -> float:
    """Mean over seeds of the last timestep's value."""
    return float(np.mean([result.values[name][-1] for result in group]))


def timesteps_of(groups: Groups) -> int:
    """Number of timesteps."""
    first = next(iter(groups.values()))[0]
    return int(first.values["integer"]["shape"][0])


def shown_timesteps(groups: Groups) -> list[int]:
    """Timesteps of the tables: 1, 2, half and all."""
    last = timesteps_of(groups)
    return sorted({1, min(2, last), (last + 1) // 2, last})


def plot_curves(groups: Groups, labels: Labels, regime: str, folder: Path) -> Figure:
    """Plot accuracy against timesteps, and write the image."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.5, 4))
    steps = range(1, timesteps_of(groups) + 1)
    for number, (name, group) in enumerate(groups.items()):
        found = [estimate(scores_at(group, t)) for t in steps]
        line = "-" if number < 10 else "--"
        axes.plot(steps, [each.mean for each in found], line, color=f"C{number % 10}", label=name)
    axes.set(xlabel="timesteps", ylabel="accuracy of the integers, %")
    axes.legend(fontsize="small")
    figure.tight_layout()
    file = folder / f"{labels.data}-{regime}.png"
    with atomic_write(file) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    pyplot.close(figure)
    return Figure(file.name, f"Accuracy after each timestep, {labels.data}, {regime}")
