"""Report as CSV: every figure once, in base units."""

import csv
from collections.abc import Iterator
from io import StringIO

from .model import Report

COLUMNS = ("part", "of", "name", "timestep", "unit", "min", "max")
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
Row = tuple[object, ...]


def to_csv(report: Report) -> str:
    """Serialize a report as CSV, one figure per line, with its range."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for rows in (
        _count_rows(report),
        _curve_rows(report),
        _energy_rows(report),
        _placement_rows(report),
    ):
        writer.writerows([as_text(value) for value in row] for row in rows)
    return text.getvalue()


def as_text(value: object) -> object:
    """Mark text that a spreadsheet would compute (`=...`, `+...`) as text by an apostrophe.

    Source: https://owasp.org/www-community/attacks/CSV_Injection.
    """
    is_formula = isinstance(value, str) and value.startswith(FORMULA_STARTS)
    return f"'{value}" if is_formula else value


def _count_rows(report: Report) -> Iterator[Row]:
    for p in report.populations:
        yield "population", p.name, "neurons", "", "", p.neurons, p.neurons
        yield "population", p.name, "events", "", "", p.events, p.events
        yield "population", p.name, "neuron_updates", "", "", p.neuron_updates, p.neuron_updates
    for q in report.projections:
        yield "projection", q.name, "synapses", "", "", q.synapses, q.synapses
        operations = q.synaptic_operations
        yield "projection", q.name, "synaptic_operations", "", "", operations, operations


def _curve_rows(report: Report) -> Iterator[Row]:
    for name, values in (
        ("synaptic_operations", report.cumulative_operations),
        ("events", report.cumulative_events),
    ):
        for step, value in enumerate(values, 1):
            yield "inference", "", name, step, "", value, value
    for curve in report.curves:
        for step, value in enumerate(curve.accuracy, 1):
            yield "accuracy", curve.name, "", step, "", value, value
    if report.errors:
        for name in ("mean_absolute", "root_mean_squared"):
            for step, value in enumerate(getattr(report.errors, name), 1):
                yield "error", "integer", name, step, "", value, value
    if report.early_exit:
        for step, count in enumerate(report.early_exit.counts, 1):
            yield "exits", "", "samples", step, "", count, count


def _energy_rows(report: Report) -> Iterator[Row]:
    for energy in report.energies:
        for name, parts in energy.populations.items():
            for kind, bounds in parts.items():
                yield "energy", energy.model, f"{name}: {kind}", "", "J", *bounds
        for step, bounds in enumerate(energy.by_step, 1):
            yield "energy", energy.model, "total", step, "J", *bounds
        yield "energy", energy.model, "ann", "", "J", *(energy.ann_energy,) * 2


def _placement_rows(report: Report) -> Iterator[Row]:
    for placement in report.placements:
        cores = len(placement.cores)
        yield "placement", placement.target, "cores", "", "", placement.min_cores, cores
        for timing in placement.timings:
            yield "time", timing.model, "step", "", "s", *timing.step
            yield "time", timing.model, "inference", "", "s", *timing.inference
