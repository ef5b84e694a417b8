"""Render a report as one self-contained HTML page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from ..runtime.extras import import_extra
from .charts import Line, histogram, line_chart, pareto_chart, percent_formatter, raster
from .confusion import accuracy_by_class, confusion_chart
from .core_map import core_map
from .format import (
    axis_formatter,
    format_count,
    format_energy,
    format_error,
    format_percent,
    format_range,
    format_time,
    format_time_range,
    join_words,
    main_curve,
    summarize,
    verification_sentence,
)
from .headline import accuracy_name, chosen_target, energies_of, key_figures
from .model import Energy, PopulationActivity, Report
from .pareto import operating_points
from .placement import Placement, Range

MAX_STEP_ROWS = 12
MAX_CHART_CLASSES = 60  # of the confusion matrix; more have a table alone
MAX_CLASS_ROWS = 30  # of the accuracy by class, the lowest
STYLES = ("first", "second", "third", "fourth")


def render(report: Report) -> str:
    """Render `report` as an HTML page for screens of any size, print, light and dark mode.

    Raises `MissingPackage` without jinja2 (extra `report`).
    """
    rasters = report.sample.rasters if report.sample else ()
    target = chosen_target(report)
    energy = next(iter(energies_of(report, target)), None)
    layers = layer_rows(report, energy)
    curve = main_curve(report)
    by_class = accuracy_by_class(report.confusion, report.classes) if report.confusion else ()
    return render_template(
        "page.html",
        report=report,
        summary=summarize(report),
        figures=key_figures(report),
        energy=energy,
        target=target,
        curve_name=accuracy_name(curve) if curve else "",
        verdict=verification_sentence(report.verification) if report.verification else "",
        accuracy_chart=_accuracy_chart(report),
        error_chart=_error_chart(report),
        pareto=_pareto_chart(report, energy),
        steps=step_rows(report, energy),
        exits_chart=_exits_chart(report),
        confusion=confusion_chart(report.confusion, report.classes)
        if 0 < len(report.confusion) <= MAX_CHART_CLASSES
        else "",
        by_class=sorted(by_class, key=lambda each: each.accuracy or 0)[:MAX_CLASS_ROWS]
        if len(by_class) > MAX_CLASS_ROWS
        else by_class,
        output_chart=_output_chart(report),
        rasters=[(each, raster(each, report.timesteps)) for each in rasters],
        placements=[(each, _maps(each)) for each in report.placements],
        layers=layers,
        max_energy=max((row.energy[1] for row in layers if row.energy), default=0) or 1,
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
        format_error,
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
    """Draw accuracy over timesteps; equal curves share a line."""
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
    return line_chart(lines, alt_text, percent_formatter, high=1.0)


def _error_chart(report: Report) -> str | None:
    """Draw the errors of a regression over timesteps."""
    if report.errors is None:
        return None
    lines = [
        Line(("MAE",), report.errors.mean_absolute, "first"),
        Line(("RMSE",), report.errors.root_mean_squared, "second"),
    ]
    last = format_error(report.errors.mean_absolute[-1])
    alt_text = f"Errors against timesteps; the mean absolute error ends with {last}."
    return line_chart(lines, alt_text, axis_formatter, low=0.0)


def _pareto_chart(report: Report, energy: Energy | None) -> str | None:
    """Draw accuracy against energy at each timestep, by the first model of the chosen target."""
    curve = main_curve(report)
    points = operating_points(curve, energy) if curve and energy else ()
    if not points or not energy:
        return None
    optimal = [str(point.timestep) for point in points if point.optimal]
    alt_text = (
        f"{accuracy_name(curve).capitalize()} against energy by {energy.model}, at each timestep; "
        f"Pareto-optimal after {join_words(optimal)}."
        if curve
        else ""
    )
    return pareto_chart(points, alt_text)


@dataclass(frozen=True)
class StepRow:
    """Accuracy, error and cost of an inference that stops after `timestep`; None if not known."""

    timestep: int
    accuracy: float | None
    error: float | None
    events: float | None
    operations: float
    energy: Range | None
    optimal: bool


def step_rows(report: Report, energy: Energy | None) -> tuple[StepRow, ...]:
    """Tabulate accuracy and cost at each timestep; of more than 12, at powers of two."""
    curve = main_curve(report)
    points = operating_points(curve, energy) if curve and energy else ()
    by_step = energy.by_step if energy and len(energy.by_step) == report.timesteps else ()
    steps: Sequence[int] = range(1, report.timesteps + 1)
    if report.timesteps > MAX_STEP_ROWS:
        powers = {1 << k for k in range(report.timesteps.bit_length())}
        steps = sorted({step for step in powers if step < report.timesteps} | {report.timesteps})
    return tuple(
        StepRow(
            step,
            curve.accuracy[step - 1] if curve else None,
            report.errors.mean_absolute[step - 1] if report.errors else None,
            report.cumulative_events[step - 1] if report.cumulative_events else None,
            report.cumulative_operations[step - 1],
            by_step[step - 1] if by_step else None,
            points[step - 1].optimal if points else False,
        )
        for step in steps
    )


@dataclass(frozen=True)
class LayerRow:
    """Activity and energy of one population with its incoming projections.

    Attributes:
        activity: Events and updates of the population.
        synapses: Synapses of the incoming projections.
        operations: Synaptic operations of the incoming projections per inference.
        energy: Energy on the chosen target; None where it is not known by population.
    """

    activity: PopulationActivity
    synapses: int
    operations: float
    energy: Range | None


def layer_rows(report: Report, energy: Energy | None) -> tuple[LayerRow, ...]:
    """Collect spikes, operations and energy by population."""
    populations = energy.populations if energy else {}
    rows = []
    for activity in report.populations:
        incoming = [p for p in report.projections if p.target == activity.name]
        parts = populations.get(activity.name)
        rows.append(
            LayerRow(
                activity,
                sum(p.synapses for p in incoming),
                sum(p.synaptic_operations for p in incoming),
                sum_ranges(parts) if parts else None,
            )
        )
    return tuple(rows)


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
    if sample.task == "regression":
        lines = [
            Line((name,), values, STYLES[k % len(STYLES)])
            for k, (name, values) in enumerate(zip(sample.classes, sample.logits, strict=True))
        ]
        alt_text = f"Estimates against timesteps, ending with {sample.prediction}."
    return line_chart(lines, alt_text, axis_formatter)
