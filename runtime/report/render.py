"""From a `Report` to one HTML page that needs nothing else."""

from collections.abc import Sequence
from importlib import resources

import jinja2

from . import words
from .charts import Line, line_chart, raster
from .report import Curve, Report

STYLES = ("first", "second", "third", "fourth")
FILTERS = (
    words.number,
    words.joules,
    words.seconds,
    words.span,
    words.times,
    words.percent,
)


def render(report: Report) -> str:
    """Return `report` as an HTML page: readable on paper and a phone, in light and in dark."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update({function.__name__: function for function in FILTERS})
    page = resources.files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    strips = report.sample.strips if report.sample else ()
    costs = [cost for e in report.energies for cost in (e.total[1], e.artificial)]
    return environment.from_string(page).render(
        report=report,
        summary=words.summary(report),
        curve=words.main_curve(report),
        proof=words.proof(report.certificate) if report.certificate else "",
        accuracy_chart=_accuracy_chart(report.curves),
        operations_chart=_operations_chart(report.operations),
        output_chart=_output_chart(report),
        rasters=[(strip, raster(strip, report.timesteps)) for strip in strips],
        dearest=max(costs, default=0) or 1,
        most_events=max((p.events for p in report.populations), default=0) or 1,
        most_operations=max((p.operations for p in report.projections), default=0) or 1,
    )


def _accuracy_chart(curves: Sequence[Curve]) -> str | None:
    """Draw the curves; those with equal values share a line."""
    if not curves:
        return None
    names: dict[tuple[float, ...], list[str]] = {}
    for curve in curves:
        names.setdefault(curve.accuracy, []).append(curve.name)
    lines = [
        Line(tuple(same), values, STYLES[k % len(STYLES)])
        for k, (values, same) in enumerate(names.items())
    ]
    ends = words.listed([f"{c.name} at {words.percent(c.accuracy[-1])}" for c in curves])
    said = f"Accuracy against timesteps, ending with {ends}."
    return line_chart(lines, said, lambda _: _whole_percent, 0.5, 1.0)


def _operations_chart(operations: Sequence[float]) -> str:
    last = words.number(round(operations[-1]))
    said = f"Synaptic operations against timesteps: {last} after the last."
    return line_chart([Line((last,), operations, "first")], said, words.axis, 0.0)


def _output_chart(report: Report) -> str | None:
    """Draw what the output says: the answer and the true class in colour, all others pale."""
    if report.sample is None:
        return None
    sample = report.sample
    styles = {sample.label: "second", sample.answer: "first"}
    lines = [
        Line((name,) if name in styles else (), values, styles.get(name, "pale"))
        for name, values in zip(sample.classes, sample.outputs, strict=True)
    ]
    lines.sort(key=lambda line: line.style != "pale")
    said = f"What the output says of each class against timesteps; most of {sample.answer}."
    return line_chart(lines, said, words.axis)


def _whole_percent(share: float) -> str:
    return f"{100 * share:.3g} %"
