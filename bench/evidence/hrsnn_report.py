"""Tables and claims of `bench.evidence.hrsnn`."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from bench.evidence.cells import CellResult, Page, unpack_bits
from bench.evidence.hrsnn_data import TASKS
from bench.evidence.statistics import Estimate, Scores, estimate, paired_difference
from bench.results import Cell as Value
from bench.results import Claim, Table

PAPER, ICLR, OWN = "HRSNN", "HRSNN (ICLR 2023)", "this project"
RAW = "raw input"
TRAINED, SETTLED, UNTRAINED = "trained", "thresholds only", "untrained"
CONTROL = "HoN, thresholds only"
MODES = (TRAINED, SETTLED, UNTRAINED, "one target rate", "without recurrence")
NEURONS = (("HeN/HoS", "HoN/HoS"), ("HeN/HeS", "HoN/HeS"))
SYNAPSES = (("HoN/HeS", "HoN/HoS"), ("HeN/HeS", "HeN/HoS"))
SEARCHED = ("tau_mem_excitatory", "tau_mem_inhibitory", "depression", "tau_plus", "tau_minus")
MAX_HOMEOSTASIS_COST = 1.0  # points
NOTE = (
    "Percent of the test samples; 95 % intervals over seeds and recordings, of the raw input over "
    "recordings alone. Searched rows have constants of their own search, of equal length, on "
    "validation samples; controls have the constants of their row."
)
Rows = Mapping[str, Sequence[CellResult]]  # cells of a task and a split, by row


def make_page(results: Sequence[CellResult]) -> Page:
    """Tables of each task and split, of the factors, and a row for each claim."""
    groups = _group(results)
    tables, claims, factors = [], [], []
    for (task, split, source), rows in groups.items():
        where = f"{split}, {source} constants"
        tables.append(_make_task_table(task, where, rows))
        factors += list(_iter_factors(task, where, rows))
        claims += list(_check_claims(task, where, rows))
    if factors:
        columns = ["task", "test samples", "read-out", "difference", "points"]
        tables.append(Table("HRSNN: factors, paired differences", columns, factors, NOTE))
    return Page([*tables, *_make_search_table(results)], claims)


def _make_search_table(results: Sequence[CellResult]) -> list[Table]:
    """Best accuracy of each search on validation samples, and the constants found."""
    rows: list[list[Value]] = []
    for result in results:
        if result.status == "done" and "search" in result.cell.settings:
            found, values = result.values["settings"], result.values
            means = [found[name]["mean"] for name in SEARCHED]
            spreads = [found[name]["cv"] for name in ("tau_mem_excitatory", "tau_plus")]
            settings = result.cell.settings
            name = f"{settings['task']}, {settings['row']}"
            rows.append([name, 100 * values["accuracy"], *means, *spreads])
    columns = ["search", "validation, %", *SEARCHED, "spread, neurons", "spread, synapses"]
    title = "HRSNN: constants found on validation samples, timesteps"
    return [Table(title, columns, rows)] if rows else []


def _group(
    results: Sequence[CellResult],
) -> dict[tuple[str, str, str], dict[str, list[CellResult]]]:
    """Cells by task, split and source of the constants, then by row; raw input is in all."""
    groups: dict[tuple[str, str, str], dict[str, list[CellResult]]] = {}
    for result in results:
        settings = result.cell.settings
        if result.status == "done" and "search" not in settings:
            place = settings["task"], settings["split"]
            rows = groups.setdefault((*place, settings["source"]), {})
            if settings["source"] == "searched" and RAW in groups.get((*place, "proposed"), {}):
                rows.setdefault(RAW, groups[*place, "proposed"][RAW])
            rows.setdefault(settings["row"], []).append(result)
    for rows in groups.values():
        for each in rows.values():
            each.sort(key=lambda result: result.cell.seed)
    return groups


def _make_task_table(task: str, split: str, rows: Rows) -> Table:
    readouts = list(TASKS[task].readouts)
    lines: list[list[Value]] = []
    for row, group in rows.items():
        modes = [mode for mode in MODES if mode in group[0].values] or [RAW]
        for mode in modes:
            scores = [_scores(task, group, mode, readout) for readout in readouts]
            name = row if mode in (RAW, TRAINED) else f"{row}: {mode}"
            values = [_format(estimate(each)) for each in scores]
            lines.append([name, *values, *_describe(group, mode), len(group)])
    columns = ["network", *readouts, "spikes per sample", "rate, excitatory",
               "rate, inhibitory", "at the lowest threshold, %", "memory capacity",
               "seeds"]  # fmt: skip
    return Table(f"HRSNN: {task}, {split}", columns, lines, NOTE)


def _describe(group: Sequence[CellResult], mode: str) -> list[Value]:
    """Spikes, rates, neurons at the lowest threshold and memory capacity, means over seeds."""
    if mode == RAW:
        return [None] * 5
    values = [result.values[mode] for result in group]
    rates = np.mean([each["rates"] for each in values], axis=0)
    means = [float(np.mean([each[key] for each in values])) for key in
             ("spikes", "floor", "memory_capacity")]  # fmt: skip
    return [means[0], float(rates[0]), float(rates[1]), 100 * means[1], means[2]]


def _format(found: Estimate) -> str:
    return f"{found.mean:.1f} ± {found.half_width:.1f}"


def _scores(task: str, group: Sequence[CellResult], mode: str, readout: str) -> Scores:
    """Percent correct, (seeds, recordings): the mean over the samples that share a recording."""
    values = [
        result.values[mode][readout] if mode == RAW else result.values[mode]["correct"][readout]
        for result in group
    ]
    correct = np.array([100.0 * unpack_bits(each) for each in values])
    means: Scores = correct.reshape(len(correct), -1, TASKS[task].repeats).mean(axis=2)
    return means


def _pair(
    task: str, rows: Rows, first: tuple[str, str], second: tuple[str, str], readout: str
) -> Scores | None:
    """Difference of two networks, each (row, mode), (seeds, recordings)."""
    a, b = (
        {each.cell.seed: each for each in rows.get(row, ()) if mode in each.values}
        for row, mode in (first, second)
    )
    if second[0] == RAW:  # which has no seed
        b = {seed: raw for raw in b.values() for seed in a}
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        return None
    pairs = zip((a, b), (first[1], second[1]), strict=True)
    one, other = (_scores(task, [each[s] for s in seeds], mode, readout) for each, mode in pairs)
    return one - other


def _effect(
    task: str, rows: Rows, pairs: Sequence[tuple[tuple[str, str], tuple[str, str]]], readout: str
) -> Estimate | None:
    """Mean difference of several pairs of networks."""
    found = [_pair(task, rows, first, second, readout) for first, second in pairs]
    known = [each for each in found if each is not None]
    if not known or len({each.shape for each in known}) > 1 or len(known) < len(pairs):
        return None
    return estimate(np.mean(known, axis=0))


def _factor_pairs() -> dict[str, list[tuple[tuple[str, str], tuple[str, str]]]]:
    cells = ("HoN/HoS", "HeN/HoS", "HoN/HeS", "HeN/HeS")
    return {
        "neurons: HeN - HoN": [((a, TRAINED), (b, TRAINED)) for a, b in NEURONS],
        "synapses: HeS - HoS": [((a, TRAINED), (b, TRAINED)) for a, b in SYNAPSES],
        "learning: trained - thresholds only": [((c, TRAINED), (c, SETTLED)) for c in cells],
        "homeostasis: thresholds only - untrained": [((c, SETTLED), (c, UNTRAINED)) for c in cells],
        "HoN, thresholds only: own targets - one target": [
            ((CONTROL, TRAINED), (CONTROL, "one target rate"))
        ],
        "HoN, thresholds only: recurrence - none": [
            ((CONTROL, TRAINED), (CONTROL, "without recurrence"))
        ],
        "input plastic: learning": [
            (("HoN/HoS, plastic input", TRAINED), ("HoN/HoS, plastic input", SETTLED))
        ],
        "HoN/HoS - HoN, thresholds only": [(("HoN/HoS", TRAINED), (CONTROL, TRAINED))],
        "HeN/HeS - raw input": [(("HeN/HeS", TRAINED), (RAW, RAW))],
    }


def _iter_factors(task: str, split: str, rows: Rows) -> Iterator[list[Value]]:
    for readout in TASKS[task].readouts:
        for name, pairs in _factor_pairs().items():
            found = _effect(task, rows, pairs, readout)
            if found:
                yield [task, split, readout, name, found.format_signed()]


def _check_claims(task: str, split: str, rows: Rows) -> Iterator[Claim]:
    """Claims of the papers and of this project, by the first read-out of the task."""
    readout, pairs = next(iter(TASKS[task].readouts)), _factor_pairs()

    def make(paper: str, text: str, found: Estimate, met: bool, prefix: str = "") -> Claim:
        seeds = f"{found.runs} seed{'s' if found.runs > 1 else ''}"
        regime = f"{task}, {split}, {readout}, {found.samples} recordings, {seeds}"
        verdict = "reproduced" if met else "not reproduced"
        return Claim(paper, text, verdict, f"{prefix}{found.format_signed()} points", regime)

    for factor, text in (
        ("neurons: HeN - HoN", "heterogeneous neurons are more accurate"),
        ("synapses: HeS - HoS", "heterogeneous synapses are more accurate"),
        ("learning: trained - thresholds only", "STDP adds to adapted thresholds"),
    ):
        found = _effect(task, rows, pairs[factor], readout)
        if found:
            yield make(PAPER, text, found, found.low > 0)
    found = _effect(task, rows, pairs["homeostasis: thresholds only - untrained"], readout)
    if found:
        text = f"homeostasis costs less than {MAX_HOMEOSTASIS_COST:g} point"
        yield make(OWN, text, found, found.low > -MAX_HOMEOSTASIS_COST)
    spikes = _compare_spikes(rows)
    if spikes:
        fewer = spikes.high < 0
        regime = f"{task}, {split}, {spikes.runs} seeds"
        yield Claim(ICLR, "heterogeneous synapses fire fewer spikes",
                    "reproduced" if fewer else "not reproduced",
                    f"{spikes.format_signed()} % of the spikes", regime)  # fmt: skip


def _compare_spikes(rows: Rows) -> Estimate | None:
    """Spikes with heterogeneous synapses relative to homogeneous ones, percent more."""
    ratios = []
    for first, second in SYNAPSES:
        groups = [rows.get(name, ()) for name in (first, second)]
        a, b = ([each.values[TRAINED]["spikes"] for each in group] for group in groups)
        if not a or len(a) != len(b) or len(a) < 2:
            return None
        ratios.append(100 * (np.array(a) / np.array(b) - 1))
    mean = np.mean(ratios, axis=0)[:, None]
    return paired_difference(mean, np.zeros_like(mean))
