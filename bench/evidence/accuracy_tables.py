"""Tables and claims of accuracies after each timestep, paired with cross-entropy."""

import re
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
class Tables:
    """Tables of a page.

    Attributes:
        titles: What follows " | " in the names of cells; each has a table.
        published: Losses of papers, with which PKD is compared.
    """

    titles: Sequence[str]
    published: Sequence[str]


def make_page(results: Sequence[CellResult], tables: Tables, folder: Path) -> Page:
    """Tables of accuracies and of differences to cross-entropy, plots, and claims."""
    groups = group_by_name(results)
    page, claims, figures = [], [], []
    for title in tables.titles:
        suffix = f" | {title}"
        chosen = {n.removesuffix(suffix): g for n, g in groups.items() if n.endswith(suffix)}
        if not chosen:
            continue
        page.append(make_accuracy_table(chosen, title))
        figures.append(plot_curves(chosen, title, folder))
        if BASELINE in chosen and len(chosen) > 1:
            page.append(make_difference_table(chosen, title))
            claims += list(check_claims(chosen, tables.published, title))
    return Page(page, claims, figures)


def make_accuracy_table(groups: Groups, title: str) -> Table:
    """Accuracies in percent, with what tells why: single steps, fit, rounding, operations."""
    steps = shown_timesteps(groups)
    columns = ["loss", *(f"T = {t}" for t in steps), "last step alone", "training samples",
               "validation", "integers - floats", "timesteps with early exit", "lost by it",
               "synaptic operations", "seeds"]  # fmt: skip
    rows: list[list[Value]] = []
    for name, group in groups.items():
        scores = [scores_at(group, t) for t in steps]
        gap = paired_difference(scores_at(group, steps[-1]), scores_at(group, steps[-1], "float"))
        rows.append(
            [
                name,
                *(str(estimate(each)) for each in scores),
                *(mean_of(group, each) for each in ("alone", "train", "validation")),
                gap.format_signed(),
                mean_exit(group, "steps"),
                mean_exit(group, "lost", 100),
                int(np.mean([result.values["operations"] for result in group])),
                len({result.cell.seed for result in group}),
            ]
        )
    title = f"{title}: accuracy of the integer network in % after T timesteps"
    return Table(title, columns, rows, NOTE)


def make_difference_table(groups: Groups, title: str) -> Table:
    """Differences to cross-entropy in points, paired over seeds and samples."""
    steps = shown_timesteps(groups)
    rows = []
    for name in groups:
        if name == BASELINE:
            continue
        differences = [difference(groups, name, BASELINE, t) for t in steps]
        cells = [each.format_signed() if each else None for each in differences]
        rows.append([name, *cells, differences[0].runs if differences[0] else 0])
    title = f"{title}: difference to cross-entropy, points"
    return Table(title, ["loss", *(f"T = {t}" for t in steps), "seeds"], rows, NOTE)


def check_claims(groups: Groups, published: Sequence[str], title: str) -> Iterator[Claim]:
    """Yield the claims of ETC, TCL and STCL, and of this project's PKD."""
    last = timesteps_of(groups)
    papers = {"ETC": "ETC", "TCL": "TCL/STCL", "STCL": "TCL/STCL"}
    for loss, paper in papers.items():
        for t, what in ((1, "with one timestep"), (last, "with all timesteps")):
            gain = difference(groups, loss, BASELINE, t)
            if gain:
                claim = f"{loss} is more accurate than cross-entropy {what}"
                yield make_claim(paper, claim, gain, gain.low > 0, title)
    early, full = (difference(groups, OWN, BASELINE, t) for t in (1, last))
    if early and full:
        claim = f"PKD gains {MIN_EARLY_GAIN:g} points or more with one timestep"
        yield make_claim("this project", claim, early, early.mean >= MIN_EARLY_GAIN, title)
        claim = f"PKD loses less than {MAX_FULL_LOSS} points with all timesteps"
        met = full.low > -MAX_FULL_LOSS
        yield make_claim("this project", claim, full, met, title)
        yield from _compare_with_published(groups, published, title)


def _compare_with_published(
    groups: Groups, published: Sequence[str], title: str
) -> Iterator[Claim]:
    """Yield the claim that PKD's curve is above all published losses' at every timestep."""
    last, behind, count = timesteps_of(groups), [], 0
    for name in published:
        for t in range(1, last + 1):
            each = difference(groups, OWN, name, t)
            count += each is not None
            if each and each.mean <= 0:
                behind.append(f"{name} at T = {t}: {each.format_signed()}")
    if count:
        compared = [groups[name] for name in (OWN, *published) if name in groups]
        seeds = min(len({result.cell.seed for result in each}) for each in compared)
        yield Claim(
            "this project",
            "PKD is above all published losses after every timestep",
            NOT_REPRODUCED if behind else REPRODUCED,
            "; ".join(behind) or f"above in all {count} comparisons",
            f"{title}, {seeds} seeds",
        )


def make_claim(paper: str, claim: str, found: Estimate, met: bool, title: str) -> Claim:
    """Make a claim about a difference."""
    seeds = f"{found.runs} seed{'s' if found.runs > 1 else ''}"
    where = f"{title}, {found.samples:,} test samples, {seeds}"
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


def mean_of(group: Sequence[CellResult], name: str) -> float | None:
    """Mean over seeds of the last timestep's accuracy, percent; None where there is none."""
    values = [result.values[name][-1] for result in group if name in result.values]
    return 100 * float(np.mean(values)) if values else None


def mean_exit(group: Sequence[CellResult], name: str, factor: float = 1) -> float | None:
    """Mean over seeds of a figure of early exit; None where it was not measured."""
    values = [result.values["exit"][name] for result in group if "exit" in result.values]
    return factor * float(np.mean(values)) if values else None


def timesteps_of(groups: Groups) -> int:
    """Number of timesteps."""
    first = next(iter(groups.values()))[0]
    return int(first.values["integer"]["shape"][0])


def shown_timesteps(groups: Groups) -> list[int]:
    """Timesteps of the tables: 1, 2, half and all."""
    last = timesteps_of(groups)
    return sorted({1, min(2, last), (last + 1) // 2, last})


def plot_curves(groups: Groups, title: str, folder: Path) -> Figure:
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
    file = folder / f"{re.sub(r'[^a-zA-Z0-9]+', '-', title)}.png"
    with atomic_write(file) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    pyplot.close(figure)
    return Figure(file.name, f"Accuracy after each timestep, {title}")
