"""Tables and claims of `bench.evidence.prednext`."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from bench.evidence.cells import CellResult, Page, common_seeds, group_by_name, unpack_bits
from bench.evidence.statistics import Estimate, Scores, estimate, paired_difference
from bench.results import Cell as Value
from bench.results import Claim, Table

PAPER, OWN = "PredNext", "this project"
ERROR, FEW, TENTH = "error", "1 % of labels", "10 % of labels"
FINETUNED = {FEW: "0.01", TENTH: "0.1"}
ACCURACIES = ("R@1", "20-NN", "probe", "motion probe")
METRICS = (ERROR, *ACCURACIES, FEW, TENTH)
MAX_COLLAPSED = 15.0  # percent by the probe, of ten classes
LATER = "later clip as second view"
NOTE = (
    "Percent of the test videos, the error absolute; 95 % intervals over seeds and videos, with "
    "one seed over the videos alone. The error is the temporal consistency error of the features, "
    "lower is steadier; fine-tuned networks classify the look."
)
Groups = Mapping[str, Sequence[CellResult]]


def make_page(results: Sequence[CellResult], objectives: Sequence[str]) -> Page:
    """Tables of all cells and of paired differences, and a row for each claim."""
    groups = {
        name: group for name, group in group_by_name(results).items() if "test" in group[0].values
    }
    if not groups:
        return Page([])
    tables = [_make_absolute_table(groups)]
    differences = _make_difference_table(groups, objectives)
    if differences.rows:
        tables.append(differences)
    return Page(tables, list(_check_claims(groups, objectives)))


def _make_absolute_table(groups: Groups) -> Table:
    rows: list[list[Value]] = []
    for name, group in groups.items():
        cells: list[Value] = [_format(_estimate(group, metric), metric) for metric in METRICS]
        rank = float(np.mean([result.values["effective_rank"] for result in group]))
        rows.append([name, *cells, rank, len(group)])
    columns = ["features", *METRICS, "effective rank", "seeds"]
    return Table("PredNext on fashion-motions, test videos", columns, rows, NOTE)


def _make_difference_table(groups: Groups, objectives: Sequence[str]) -> Table:
    pairs = [(f"{each}: PredNext", f"{each}: plain") for each in objectives]
    ablated = objectives[0]
    controls = ("step only", "clip only", LATER, "forced consistency", "steps summed",
                "PredNext without objective")  # fmt: skip
    pairs += [(f"{ablated}: {each}", f"{ablated}: plain") for each in controls]
    pairs += [(f"{ablated}: PredNext", f"{ablated}: {each}") for each in (LATER, "same view")]
    pairs += [(f"{each}: PredNext", other) for each in objectives for other in ("pixels",
              "untrained")]  # fmt: skip
    pairs += [("simsiam: PredNext, global pooling", "simsiam: plain, global pooling")]
    rows: list[list[Value]] = []
    for first, second in pairs:
        found = [_difference(groups, first, second, metric) for metric in METRICS]
        if any(found):
            cells = [_format(each, m, True) for each, m in zip(found, METRICS, strict=True)]
            seeds = next(each.runs for each in found if each)
            rows.append([f"{first} - {second}", *cells, seeds])
    title = "PredNext on fashion-motions: paired differences, points"
    return Table(title, ["difference", *METRICS, "seeds"], rows, NOTE)


def _scores(group: Sequence[CellResult], metric: str) -> Scores | None:
    """Scores (seeds, videos): 100 where correct, or the consistency error of each video."""
    if metric == ERROR:
        return np.array([result.values["test"][ERROR] for result in group])
    key = FINETUNED.get(metric)
    stored = [
        result.values.get("finetuned", {}).get(key) if key else result.values["test"][metric]
        for result in group
    ]
    if any(each is None for each in stored):
        return None
    return np.array([100.0 * unpack_bits(each) for each in stored])


def _estimate(group: Sequence[CellResult], metric: str) -> Estimate | None:
    scores = _scores(group, metric)
    return None if scores is None else estimate(scores)


def _difference(groups: Groups, first: str, second: str, metric: str) -> Estimate | None:
    """Paired difference of two cells; pixels, which have no seed, are compared with each seed."""
    if first not in groups or second not in groups:
        return None
    pairs = list(common_seeds(groups[first], groups[second]))
    if second == "pixels":
        pairs = [(each, groups[second][0]) for each in groups[first]]
    if not pairs:
        return None
    a, b = (_scores(each, metric) for each in zip(*pairs, strict=True))
    return None if a is None or b is None else paired_difference(a, b)


def _format(found: Estimate | None, metric: str, signed: bool = False) -> str | None:
    if found is None:
        return None
    if metric == ERROR:
        sign = "+" if signed else ""
        return f"{found.mean:{sign}.3f} ± {found.half_width:.3f}"
    return found.format_signed() if signed else str(found)


def _check_claims(groups: Groups, objectives: Sequence[str]) -> Iterator[Claim]:
    yield from _check_gains(groups, objectives)
    name = objectives[0]
    plain, full = f"{name}: plain", f"{name}: PredNext"

    def compare(first: str, second: str, metric: str) -> Estimate | None:
        return _difference(groups, first, second, metric)

    step, clip = (compare(f"{name}: {part} only", plain, "probe") for part in ("step", "clip"))
    if step and clip:
        figure = f"published +3.59 and +0.52; probe {_say(clip)} and {_say(step)} points"
        met = clip.low > 0 and clip.mean > step.mean
        yield _claim(
            "clip prediction gives the accuracy, step prediction little", met, figure, clip
        )
    step = compare(f"{name}: step only", plain, ERROR)
    if step:
        figure = f"published as a curve; error {_format(step, ERROR, True)}"
        yield _claim("step prediction makes features steadier", step.high < 0, figure, step)
    yield from _check_one(
        compare, "prediction of the other view is better than of the same", full,
        f"{name}: same view", "published +1.27", lambda found: found.low > 0,
    )  # fmt: skip
    yield from _check_one(
        compare, "prediction without the objective is above the objective alone",
        f"{name}: PredNext without objective", plain, "published +1.56", lambda f: f.low > 0,
    )  # fmt: skip
    collapsed = groups.get(f"{name}: same view without objective")
    probe = _estimate(collapsed, "probe") if collapsed else None
    if probe:
        text = "prediction of the same view without the objective collapses"
        figure = f"published 5.03 % of 101 classes; probe {probe} %, chance 10 %"
        yield _claim(text, probe.mean < MAX_COLLAPSED, figure, probe)
    error = compare(f"{name}: forced consistency", plain, ERROR)
    probe = compare(f"{name}: forced consistency", plain, "probe")
    if error and probe:
        figure = f"published -9.97; probe {_say(probe)}, error {_format(error, ERROR, True)}"
        met = error.high < 0 and probe.high < 0
        yield _claim("forced consistency is steadier and less accurate", met, figure, probe)
    over = [compare(full, f"{name}: {LATER}", metric) for metric in ("R@1", "probe")]
    if over[0] and over[1]:
        figure = f"R@1 {_say(over[0])}, probe {_say(over[1])} points"
        met = over[0].low > 0 or over[1].low > 0
        text = "PredNext is above a second view that is taken from the later clip"
        yield _claim(text, met, figure, over[0], OWN)


def _check_gains(groups: Groups, objectives: Sequence[str]) -> Iterator[Claim]:
    """Yield the claims on accuracy and steadiness of each objective with PredNext."""
    gains, steadier, first = [], [], None
    for each in objectives:
        pair = f"{each}: PredNext", f"{each}: plain"
        found = [_difference(groups, *pair, metric) for metric in ("R@1", "probe", ERROR)]
        recall, probe, error = found
        if recall and probe and error:
            first = first or recall
            gains.append((each, recall, probe))
            steadier.append((each, error))
    if first is None:
        return
    up = [name for name, recall, probe in gains if recall.low > 0 or probe.low > 0]
    figure = "; ".join(f"{n}: R@1 {_say(r)}, probe {_say(p)}" for n, r, p in gains)
    text = "PredNext raises R@1 or the probe for at least 5 of 6 objectives, interval above zero"
    yield _claim(text, len(up) >= 5, f"{len(up)} of {len(gains)} measured: {figure}", first)
    down = [name for name, error in steadier if error.high < 0]
    figure = "; ".join(f"{name} {_format(error, ERROR, True)}" for name, error in steadier)
    text = "PredNext lowers the temporal consistency error for 6 of 6 objectives"
    yield _claim(text, len(down) == 6, f"{len(down)} of {len(steadier)} measured: {figure}", first)


def _check_one(
    compare: Callable[[str, str, str], Estimate | None],
    text: str,
    first: str,
    second: str,
    published: str,
    met: Callable[[Estimate], bool],
) -> Iterator[Claim]:
    found = compare(first, second, "probe")
    if found:
        yield _claim(text, met(found), f"{published}; probe {_say(found)} points", found)


def _say(found: Estimate) -> str:
    return found.format_signed()


def _claim(text: str, met: bool, figure: str, found: Estimate, paper: str = PAPER) -> Claim:
    seeds = f"{found.runs} seed{'s' if found.runs > 1 else ''}"
    regime = f"fashion-motions, {found.samples:,} test videos, {seeds}, 1,488 steps of 64 videos"
    return Claim(paper, text, "reproduced" if met else "not reproduced", figure, regime)
