"""Compare several reports: one table row each, and accuracy against cost."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..runtime.errors import DataError
from ..runtime.files import atomic_write
from .charts import Line, XAxis, line_chart
from .format import axis_formatter, main_curve
from .model import Energy, Report
from .render import STYLES, percent_formatter, render_template
from .write import ensure_dir


def comparison_rows(reports: Sequence[Report]) -> tuple[dict[str, Any], ...]:
    """Summarize each report as plain values by name.

    Energies and latencies are ranges (min, max) in joules and seconds, by model; cores are by
    target.
    """
    return tuple(
        {
            "title": report.title,
            "network": report.network,
            "samples": report.samples,
            "timesteps": report.timesteps,
            "accuracy": curve.accuracy[-1] if (curve := main_curve(report)) else None,
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


def render_comparison(reports: Sequence[Report], title: str) -> str:
    """Render the comparison of `reports` as a self-contained HTML page."""
    rows = comparison_rows(reports)
    models = _models(rows)
    targets = list(dict.fromkeys(name for row in rows for name in row["cores"]))
    charts = [
        ("Accuracy against timesteps", _over_time(reports)),
        ("Accuracy against synaptic operations", _over_operations(reports)),
        *((f"Accuracy against energy: {model}", _over_energy(reports, model)) for model in models),
    ]
    return render_template(
        "compare.html",
        title=title,
        rows=list(zip(rows, _styles(reports), strict=True)),
        models=models,
        targets=targets,
        charts=[(name, chart) for name, chart in charts if chart],
    )


def _models(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """List the first energy model of each target that all reports have."""
    by_target: dict[str, str] = {}
    for model in rows[0]["energy"]:
        if all(model in row["energy"] for row in rows):
            by_target.setdefault(model.partition(",")[0], model)
    return list(by_target.values())


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
    microjoules = [
        [sum(bounds) / 2 * 1e6 for bounds in energy.by_step] if energy else []
        for energy in energies
    ]
    return _chart(_lines(reports, microjoules), XAxis("\u00b5J per inference", axis_formatter))


def _chart(lines: Sequence[Line], x_axis: XAxis) -> str | None:
    if not lines:
        return None
    alt_text = f"Accuracy of {len(lines)} networks against {x_axis.name}."
    return line_chart(lines, alt_text, percent_formatter, 0.5, 1.0, x_axis=x_axis)
