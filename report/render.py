"""From a `Report` to one HTML page that needs nothing else."""

from collections.abc import Callable, Mapping, Sequence
from importlib import resources

from ..runtime.extras import import_extra
from . import format as words
from .charts import Line, SecondaryScale, histogram, line_chart, raster
from .core_map import core_map
from .model import Report
from .placement import Placement, Range

STYLES = ("first", "second", "third", "fourth")


def render(report: Report) -> str:
    """Return `report` as an HTML page: readable on paper and a phone, in light and in dark."""
    strips = report.sample.rasters if report.sample else ()
    return render_template(
        "page.html",
        report=report,
        summary=words.summarize(report),
        curve=words.main_curve(report),
        proof=words.verification_sentence(report.verification) if report.verification else "",
        accuracy_chart=_accuracy_chart(report),
        operations_chart=_operations_chart(report.cumulative_operations),
        exits_chart=_exits_chart(report),
        output_chart=_output_chart(report),
        rasters=[(strip, raster(strip, report.timesteps)) for strip in strips],
        placements=[(each, _maps(each)) for each in report.placements],
        most_events=max((p.events for p in report.populations), default=0) or 1,
        most_operations=max((p.synaptic_operations for p in report.projections), default=0) or 1,
    )


def render_template(template: str, **values: object) -> str:
    """Return a template of this folder, filled with `values`."""
    jinja2 = import_extra("jinja2", "report", "HTML report")
    folder = resources.files(__package__)
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    told = (
        words.format_count,
        words.format_energy,
        words.format_time,
        words.format_range,
        words.format_time_range,
        words.format_percent,
    )
    environment.filters.update(
        {function.__name__: function for function in (*told, sum_ranges, upper_bound)}
    )
    page: str = environment.get_template(template).render(**values)
    return page


def sum_ranges(parts: Mapping[str, Range]) -> Range:
    """Return the sum of ranges."""
    return sum(least for least, _ in parts.values()), sum(most for _, most in parts.values())


def upper_bound(parts: Mapping[str, Range]) -> float:
    """Return the upper end of the sum of ranges."""
    return sum_ranges(parts)[1]


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
    ends = words.join_words(
        [f"{c.name} at {words.format_percent(c.accuracy[-1])}" for c in report.curves]
    )
    said = f"Accuracy against timesteps, ending with {ends}."
    return line_chart(lines, said, percent_formatter, 0.5, 1.0, scales=_scales(report))


def _scales(report: Report) -> list[SecondaryScale]:
    """Return what an inference that stops at each step has cost: events, energy on two targets."""
    scales = []
    if report.cumulative_events:
        write = words.axis_formatter(report.cumulative_events[-1])
        scales.append(
            SecondaryScale(
                "events", tuple(write(round(value)) for value in report.cumulative_events)
            )
        )
    firsts = {each.model.partition(",")[0]: each for each in reversed(report.energies)}
    for energy in list(firsts.values())[::-1][:: max(1, len(firsts) - 1)]:
        if energy.by_step:
            told = [words.format_energy(sum(bounds) / 2) for bounds in energy.by_step]
            scales.append(SecondaryScale(energy.model, tuple(told)))
    return scales


def _operations_chart(operations: Sequence[float]) -> str:
    last = words.format_count(round(operations[-1]))
    said = f"Synaptic operations against timesteps: {last} after the last."
    return line_chart([Line((last,), operations, "first")], said, words.axis_formatter, 0.0)


def _exits_chart(report: Report) -> str | None:
    exits = report.early_exit
    if exits is None:
        return None
    said = (
        f"How many samples stopped after each timestep: {words.format_count(exits.mean_steps)} "
        f"timesteps on average."
    )
    return histogram(exits.counts, said)


def _maps(placement: Placement) -> list[tuple[str, str]]:
    """Draw how full and how busy the cores are."""
    busiest = max((core.busy_seconds for core in placement.cores), default=0) or 1
    if not placement.cores:
        return []
    full = max(core.utilization for core in placement.cores)
    return [
        (
            f"How full: at most {words.format_percent(full)} of what is scarcest",
            core_map(placement, lambda core: core.utilization, "coloured by how full they are"),
        ),
        (
            f"How busy: at most {words.format_time(busiest)} a step on average",
            core_map(
                placement, lambda core: core.busy_seconds / busiest, "coloured by how busy they are"
            ),
        ),
    ]


def _output_chart(report: Report) -> str | None:
    """Draw what the output says: the answer and the true class in colour, all others pale."""
    if report.sample is None:
        return None
    sample = report.sample
    styles = {sample.label: "second", sample.prediction: "first"}
    lines = [
        Line((name,) if name in styles else (), values, styles.get(name, "pale"))
        for name, values in zip(sample.classes, sample.logits, strict=True)
    ]
    lines.sort(key=lambda line: line.style != "pale")
    said = f"What the output says of each class against timesteps; most of {sample.prediction}."
    return line_chart(lines, said, words.axis_formatter)


def percent_formatter(_: float) -> Callable[[float], str]:
    """Return what writes a share of 1 in percent, whatever the largest."""
    return lambda share: f"{100 * share:.3g} %"
