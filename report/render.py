"""Render a report as one self-contained HTML page."""

from collections.abc import Callable, Mapping, Sequence
from importlib import resources

from ..runtime.extras import import_extra
from .charts import Line, SecondaryScale, histogram, line_chart, raster
from .core_map import core_map
from .format import (
    axis_formatter,
    format_count,
    format_energy,
    format_percent,
    format_range,
    format_time,
    format_time_range,
    join_words,
    main_curve,
    summarize,
    verification_sentence,
)
from .model import Report
from .placement import Placement, Range

STYLES = ("first", "second", "third", "fourth")


def render(report: Report) -> str:
    """Render `report` as an HTML page for screens of any size, print, light and dark mode.

    Raises `MissingPackage` without jinja2 (extra `report`).
    """
    rasters = report.sample.rasters if report.sample else ()
    return render_template(
        "page.html",
        report=report,
        summary=summarize(report),
        curve=main_curve(report),
        verdict=verification_sentence(report.verification) if report.verification else "",
        accuracy_chart=_accuracy_chart(report),
        operations_chart=_operations_chart(report.cumulative_operations),
        exits_chart=_exits_chart(report),
        output_chart=_output_chart(report),
        rasters=[(each, raster(each, report.timesteps)) for each in rasters],
        placements=[(each, _maps(each)) for each in report.placements],
        max_events=max((p.events for p in report.populations), default=0) or 1,
        max_operations=max((p.synaptic_operations for p in report.projections), default=0) or 1,
    )


def render_template(template: str, **values: object) -> str:
    """Render a jinja2 template of this folder with `values`."""
    jinja2 = import_extra("jinja2", "report", "HTML report")
    folder = resources.files(__package__)
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    filters = (
        format_count,
        format_energy,
        format_time,
        format_range,
        format_time_range,
        format_percent,
        sum_ranges,
        upper_bound,
    )
    environment.filters.update({function.__name__: function for function in filters})
    page: str = environment.get_template(template).render(**values)
    return page


def sum_ranges(parts: Mapping[str, Range]) -> Range:
    """Sum ranges (min, max)."""
    return sum(low for low, _ in parts.values()), sum(high for _, high in parts.values())


def upper_bound(parts: Mapping[str, Range]) -> float:
    """Sum the upper ends of ranges."""
    return sum_ranges(parts)[1]


def _accuracy_chart(report: Report) -> str | None:
    """Draw accuracy over timesteps, events and energy; equal curves share a line."""
    if not report.curves:
        return None
    names: dict[tuple[float, ...], list[str]] = {}
    for curve in report.curves:
        names.setdefault(curve.accuracy, []).append(curve.name)
    lines = [
        Line(tuple(labels), values, STYLES[k % len(STYLES)])
        for k, (values, labels) in enumerate(names.items())
    ]
    ends = join_words([f"{c.name} at {format_percent(c.accuracy[-1])}" for c in report.curves])
    alt_text = f"Accuracy against timesteps, ending with {ends}."
    return line_chart(lines, alt_text, percent_formatter, 0.5, 1.0, scales=_scales(report))


def _scales(report: Report) -> list[SecondaryScale]:
    """Make the secondary scales: cumulative events, and energy on the first and last target."""
    scales = []
    if report.cumulative_events:
        format_tick = axis_formatter(report.cumulative_events[-1])
        scales.append(
            SecondaryScale(
                "events", tuple(format_tick(round(value)) for value in report.cumulative_events)
            )
        )
    by_target = {each.model.partition(",")[0]: each for each in reversed(report.energies)}
    for energy in list(by_target.values())[::-1][:: max(1, len(by_target) - 1)]:
        if energy.by_step:
            texts = [format_energy(sum(bounds) / 2) for bounds in energy.by_step]
            scales.append(SecondaryScale(energy.model, tuple(texts)))
    return scales


def _operations_chart(operations: Sequence[float]) -> str:
    last = format_count(round(operations[-1]))
    alt_text = f"Synaptic operations against timesteps: {last} after the last."
    return line_chart([Line((last,), operations, "first")], alt_text, axis_formatter, 0.0)


def _exits_chart(report: Report) -> str | None:
    stats = report.early_exit
    if stats is None:
        return None
    alt_text = (
        f"Number of samples that stopped after each timestep; mean {format_count(stats.mean_steps)}"
    )
    return histogram(stats.counts, alt_text)


def _maps(placement: Placement) -> list[tuple[str, str]]:
    """Draw maps of the cores, colored by utilization and by busy time."""
    max_busy = max((core.busy_seconds for core in placement.cores), default=0) or 1
    if not placement.cores:
        return []
    max_utilization = max(core.utilization for core in placement.cores)
    return [
        (
            f"Utilization: at most {format_percent(max_utilization)} of the bottleneck resource",
            core_map(placement, lambda core: core.utilization, "colored by utilization"),
        ),
        (
            f"Busy time: at most {format_time(max_busy)} per timestep on average",
            core_map(placement, lambda core: core.busy_seconds / max_busy, "colored by busy time"),
        ),
    ]


def _output_chart(report: Report) -> str | None:
    """Draw the logits over time: the predicted and the true class in color, all others pale."""
    if report.sample is None:
        return None
    sample = report.sample
    styles = {sample.label: "second", sample.prediction: "first"}
    lines = [
        Line((name,) if name in styles else (), values, styles.get(name, "pale"))
        for name, values in zip(sample.classes, sample.logits, strict=True)
    ]
    lines.sort(key=lambda line: line.style != "pale")
    alt_text = f"Logit of each class against timesteps; the largest is that of {sample.prediction}."
    return line_chart(lines, alt_text, axis_formatter)


def percent_formatter(_: float) -> Callable[[float], str]:
    """Make the formatter of an axis of fractions in percent, whatever its largest tick."""
    return lambda fraction: f"{100 * fraction:.3g} %"
