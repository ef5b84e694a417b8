"""Several reports side by side: one line each, and accuracy against what it costs."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..runtime.errors import DataError
from ..runtime.files import atomic_write
from . import format as words
from .charts import Line, XAxis, line_chart
from .model import Energy, Report
from .render import STYLES, percent_formatter, render_template
from .write import ensure_dir


def comparison_rows(reports: Sequence[Report]) -> tuple[dict[str, Any], ...]:
    """Return what each of `reports` comes to, as plain values by name.

    Energies and times are ranges, joules and seconds, by price list; cores are by target.
    """
    return tuple(
        {
            "title": report.title,
            "network": report.network,
            "samples": report.samples,
            "timesteps": report.timesteps,
            "accuracy": curve.accuracy[-1] if (curve := words.main_curve(report)) else None,
            "neurons": sum(p.neurons for p in report.populations),
            "connections": report.synapses,
            "events": report.events,
            "operations": report.cumulative_operations[-1],
            "energy": {each.model: each.total for each in report.energies},
            "cores": {each.target: len(each.cores) for each in report.placements},
            "inference": {t.model: t.inference for p in report.placements for t in p.timings},
        }
        for report in reports
    )


def write_comparison(folder: str | Path, reports: Sequence[Report], title: str) -> Path:
    """Write `compare.html` into `folder`, made where it is not there; return its path.

    Raises `DataError` for less than two reports, and `FileError` where it cannot be written.
    """
    if len(reports) < 2:
        raise DataError(f"--compare: {len(reports)} report, needs two or more")
    path = ensure_dir(folder) / "compare.html"
    with atomic_write(path) as temporary:
        temporary.write_text(render_comparison(reports, title), encoding="utf-8")
    return path


def render_comparison(reports: Sequence[Report], title: str) -> str:
    """Return `reports` side by side as an HTML page that needs nothing else."""
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
    """Return of each target the first price list that all reports have."""
    firsts: dict[str, str] = {}
    for model in rows[0]["energy"]:
        if all(model in row["energy"] for row in rows):
            firsts.setdefault(model.partition(",")[0], model)
    return list(firsts.values())


def _styles(reports: Sequence[Report]) -> list[str]:
    return [STYLES[k % len(STYLES)] for k in range(len(reports))]


def _lines(reports: Sequence[Report], places: Sequence[Sequence[float]]) -> list[Line]:
    """Return the accuracy of each report over its places, numbered as in the table."""
    lines = []
    for number, (report, at, style) in enumerate(
        zip(reports, places, _styles(reports), strict=True), 1
    ):
        curve = words.main_curve(report)
        if curve and len(at) == len(curve.accuracy):
            lines.append(Line((str(number),), curve.accuracy, style, at))
    return lines


def _over_time(reports: Sequence[Report]) -> str | None:
    lines = _lines(reports, [range(1, report.timesteps + 1) for report in reports])
    return _chart(lines, XAxis("timesteps", words.axis_formatter))


def _over_operations(reports: Sequence[Report]) -> str | None:
    lines = _lines(reports, [report.cumulative_operations for report in reports])
    return _chart(lines, XAxis("synaptic operations an inference", words.axis_formatter))


def _over_energy(reports: Sequence[Report], model: str) -> str | None:
    bills: list[Energy | None] = [
        next((e for e in report.energies if e.model == model), None) for report in reports
    ]
    places = [[sum(bounds) / 2 * 1e6 for bounds in bill.by_step] if bill else [] for bill in bills]
    return _chart(_lines(reports, places), XAxis("\u00b5J an inference", words.axis_formatter))


def _chart(lines: Sequence[Line], across: XAxis) -> str | None:
    if not lines:
        return None
    said = f"Accuracy of {len(lines)} networks against {across.name}."
    return line_chart(lines, said, percent_formatter, 0.5, 1.0, x_axis=across)
