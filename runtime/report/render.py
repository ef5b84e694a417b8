"""From a `Report` to one HTML page that needs nothing else."""

from collections.abc import Callable, Mapping, Sequence
from importlib import resources

import jinja2

from . import words
from .charts import Line, Scale, histogram, line_chart, raster
from .coremap import core_map
from .placement import Placement, Range
from .report import Report

STYLES = ("first", "second", "third", "fourth")


def render(report: Report) -> str:
    """Return `report` as an HTML page: readable on paper and a phone, in light and in dark."""
    strips = report.sample.strips if report.sample else ()
    return page(
        "page.html",
        report=report,
        summary=words.summary(report),
        curve=words.main_curve(report),
        proof=words.proof(report.certificate) if report.certificate else "",
        accuracy_chart=_accuracy_chart(report),
        operations_chart=_operations_chart(report.operations),
        exits_chart=_exits_chart(report),
        output_chart=_output_chart(report),
        rasters=[(strip, raster(strip, report.timesteps)) for strip in strips],
        placements=[(each, _maps(each)) for each in report.placements],
        most_events=max((p.events for p in report.populations), default=0) or 1,
        most_operations=max((p.operations for p in report.projections), default=0) or 1,
    )


def page(template: str, **values: object) -> str:
    """Return a template of this folder, filled with `values`."""
    folder = resources.files(__package__)
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    told = words.number, words.joules, words.seconds, words.span, words.times, words.percent
    environment.filters.update({function.__name__: function for function in (*told, total, most)})
    return environment.get_template(template).render(**values)


def total(parts: Mapping[str, Range]) -> Range:
    """Return the sum of ranges."""
    return sum(least for least, _ in parts.values()), sum(most for _, most in parts.values())


def most(parts: Mapping[str, Range]) -> float:
    """Return the upper end of the sum of ranges."""
    return total(parts)[1]


def _accuracy_chart(report: Report) -> str | None:
    """Draw the curves over steps, events and energy; those with equal values share a line."""
    if not report.curves:
        return None
    names: dict[tuple[float, ...], list[str]] = {}
    for curve in report.curves:
        names.setdefault(curve.accuracy, []).append(curve.name)
    lines = [
        Line(tuple(same), values, STYLES[k % len(STYLES)])
        for k, (values, same) in enumerate(names.items())
    ]
    ends = words.listed([f"{c.name} at {words.percent(c.accuracy[-1])}" for c in report.curves])
    said = f"Accuracy against timesteps, ending with {ends}."
    return line_chart(lines, said, whole_percent, 0.5, 1.0, scales=_scales(report))


def _scales(report: Report) -> list[Scale]:
    """Return what an inference that stops at each step has cost: events, energy on two targets."""
    scales = []
    if report.sent:
        write = words.axis(report.sent[-1])
        scales.append(Scale("events", tuple(write(round(value)) for value in report.sent)))
    firsts = {each.model.partition(",")[0]: each for each in reversed(report.energies)}
    for energy in list(firsts.values())[::-1][:: max(1, len(firsts) - 1)]:
        if energy.by_step:
            told = [words.joules(sum(bounds) / 2) for bounds in energy.by_step]
            scales.append(Scale(energy.model, tuple(told)))
    return scales


def _operations_chart(operations: Sequence[float]) -> str:
    last = words.number(round(operations[-1]))
    said = f"Synaptic operations against timesteps: {last} after the last."
    return line_chart([Line((last,), operations, "first")], said, words.axis, 0.0)


def _exits_chart(report: Report) -> str | None:
    exits = report.exits
    if exits is None:
        return None
    said = (
        f"How many samples stopped after each timestep: {words.number(exits.mean_steps)} "
        f"timesteps on average."
    )
    return histogram(exits.counts, said)


def _maps(placement: Placement) -> list[tuple[str, str]]:
    """Draw how full and how busy the cores are."""
    busiest = max((core.busy for core in placement.cores), default=0) or 1
    if not placement.cores:
        return []
    full = max(core.fill for core in placement.cores)
    return [
        (
            f"How full: at most {words.percent(full)} of what is scarcest",
            core_map(placement, lambda core: core.fill, "coloured by how full they are"),
        ),
        (
            f"How busy: at most {words.seconds(busiest)} a step on average",
            core_map(placement, lambda core: core.busy / busiest, "coloured by how busy they are"),
        ),
    ]


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


def whole_percent(_: float) -> Callable[[float], str]:
    """Return what writes a share of 1 in percent, whatever the largest."""
    return lambda share: f"{100 * share:.3g} %"
