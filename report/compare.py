"""Compare several reports: one table row each, and accuracy against cost."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..runtime.errors import DataError
from ..runtime.files import atomic_write
from .charts import Line, XAxis, line_chart, percent_formatter
from .format import (
    axis_formatter,
    energy_axis_formatter,
    format_count,
    format_range,
    format_time_range,
    join_words,
    main_curve,
)
from .model import Energy, Report
from .render import STYLES, render_template
from .write import ensure_dir


def comparison_rows(reports: Sequence[Report]) -> tuple[dict[str, Any], ...]:
    """Summarize each report as plain values by name.

    Energies and latencies are ranges (min, max) in joules and seconds, by model; cores are by
    target.
    """
    return tuple(
        {
            "title": report.title,
            "inputs": report.inputs,
            "inputs_digest": report.inputs_digest,
            "network": report.network,
            "samples": report.samples,
            "timesteps": report.timesteps,
            "accuracy": curve.accuracy[-1] if (curve := main_curve(report)) else None,
            "error": report.errors.mean_absolute[-1] if report.errors else None,
            "neurons": sum(p.neurons for p in report.populations),
            "synapses": report.synapses,
            "events": report.events,
            "synaptic_operations": report.cumulative_operations[-1],
            "energy": {each.model: each.total for each in report.energies},
            "cores": {each.target: len(each.cores) for each in report.placements},
            "inference": {t.model: t.inference for p in report.placements for t in p.timings},
        }
        for report in reports
    )


def write_comparison(folder: str | os.PathLike[str], reports: Sequence[Report], title: str) -> Path:
    """Write `compare.html` into `folder`, created where it does not exist; returns its path.

    Raises `DataError` for less than two reports, `FileError` where the file cannot be written, and
    `MissingPackage` without jinja2 (extra `report`).
    """
    if len(reports) < 2:
        raise DataError(f"--compare: {len(reports)} report, needs two or more")
    path = ensure_dir(folder) / "compare.html"
    with atomic_write(path) as temporary:
        temporary.write_text(render_comparison(reports, title), encoding="utf-8")
    return path


def data_warnings(reports: Sequence[Report]) -> tuple[str, ...]:
    """List the reasons why `reports` are not comparable: other data sets, or unknown ones."""
    groups: dict[str, list[int]] = {}
    for number, report in enumerate(reports, 1):
        groups.setdefault(report.inputs_digest, []).append(number)
    warnings = []
    unknown = groups.pop("", [])
    if unknown:
        warnings.append(
            f"{_name_reports(unknown)} {'does' if len(unknown) == 1 else 'do'} not say which data "
            "were used, as an earlier version wrote it; write it again to compare."
        )
    if len(groups) > 1:
        parts = [
            f"{_name_reports(each)} on {_name_data(reports[each[0] - 1])}"
            for each in groups.values()
        ]
        warnings.append(
            "The data differ, so that accuracy and cost are not comparable: "
            + "; ".join(parts)
            + "."
        )
    return tuple(warnings)


def _name_reports(numbers: Sequence[int]) -> str:
    return f"report{'s' if len(numbers) > 1 else ''} {join_words(list(map(str, numbers)))}"


def _name_data(report: Report) -> str:
    return (
        f"{report.inputs or 'data without a name'}, {format_count(report.samples)} samples of "
        f"{format_count(report.timesteps)} timesteps"
    )


@dataclass(frozen=True)
class CostComparisonTable:
    """One cost of all reports.

    Attributes:
        name: Model or target.
        quantity: Name of the cost.
        values: Of each report its text, and the value in base units, 0 where there is none.
    """

    name: str
    quantity: str
    values: tuple[tuple[str, float], ...]

    @property
    def largest(self) -> float:
        """Largest value."""
        return max(value for _, value in self.values) or 1.0


def cost_tables(rows: Sequence[Mapping[str, Any]]) -> tuple[CostComparisonTable, ...]:
    """Tabulate energy and latency, by the first model of each target, and cores of each target."""
    kinds = (
        ("energy", "energy per inference", format_range),
        ("inference", "latency per inference", format_time_range),
        ("cores", "cores", None),
    )
    tables = []
    for key, quantity, formatter in kinds:
        for name in _first_models(rows, key):
            values = [row[key].get(name) for row in rows]
            if not any(values):
                continue
            tables.append(
                CostComparisonTable(
                    name,
                    quantity,
                    tuple(
                        ("\u2013", 0.0)
                        if not value
                        else (formatter(value), value[1])
                        if formatter
                        else (format_count(value), float(value))
                        for value in values
                    ),
                )
            )
    return tuple(tables)


def _first_models(rows: Sequence[Mapping[str, Any]], key: str) -> list[str]:
    """List the first model of each target under `key` that any report has."""
    by_target: dict[str, str] = {}
    for row in rows:
        for model in row[key]:
            by_target.setdefault(model.partition(",")[0], model)
    return list(by_target.values())


def render_comparison(reports: Sequence[Report], title: str) -> str:
    """Render the comparison of `reports` as a self-contained HTML page."""
    rows = comparison_rows(reports)
    models = _first_models(rows, "energy")
    charts = [
        ("Accuracy against timesteps", _over_time(reports)),
        ("Accuracy against synaptic operations", _over_operations(reports)),
        *((f"Accuracy against energy, {model}", _over_energy(reports, model)) for model in models),
    ]
    return render_template(
        "compare.html",
        title=title,
        rows=list(zip(rows, _styles(reports), strict=True)),
        errors=any(row["error"] is not None for row in rows),
        warnings=[f"{text[0].upper()}{text[1:]}" for text in data_warnings(reports)],
        costs=cost_tables(rows),
        charts=[(name, chart) for name, chart in charts if chart],
    )


def _styles(reports: Sequence[Report]) -> list[str]:
    return [STYLES[k % len(STYLES)] for k in range(len(reports))]


def _lines(reports: Sequence[Report], positions: Sequence[Sequence[float]]) -> list[Line]:
    """Make the line of each report's accuracy over `positions`, numbered as in the table."""
    lines = []
    for number, (report, x, style) in enumerate(
        zip(reports, positions, _styles(reports), strict=True), 1
    ):
        curve = main_curve(report)
        if curve and len(x) == len(curve.accuracy):
            lines.append(Line((str(number),), curve.accuracy, style, x))
    return lines


def _over_time(reports: Sequence[Report]) -> str | None:
    lines = _lines(reports, [range(1, report.timesteps + 1) for report in reports])
    return _chart(lines, XAxis("timesteps", axis_formatter))


def _over_operations(reports: Sequence[Report]) -> str | None:
    lines = _lines(reports, [report.cumulative_operations for report in reports])
    return _chart(lines, XAxis("synaptic operations per inference", axis_formatter))


def _over_energy(reports: Sequence[Report], model: str) -> str | None:
    energies: list[Energy | None] = [
        next((e for e in report.energies if e.model == model), None) for report in reports
    ]
    joules = [
        [sum(bounds) / 2 for bounds in energy.by_step] if energy else [] for energy in energies
    ]
    return _chart(_lines(reports, joules), XAxis("energy per inference", energy_axis_formatter))


def _chart(lines: Sequence[Line], x_axis: XAxis) -> str | None:
    if not lines:
        return None
    alt_text = f"Accuracy of {len(lines)} networks against {x_axis.name}."
    return line_chart(lines, alt_text, percent_formatter, high=1.0, x_axis=x_axis)
