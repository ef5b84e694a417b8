"""Charts as inline SVG: lines, points, histograms and spike rasters, styled by the page's CSS."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from .format import energy_axis_formatter
from .model import SpikeRaster
from .pareto import OperatingPoint

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 50, 88, 12, 40  # margins, for ticks and labels
PLOT_SIZE = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
LABEL_GAP = 16
MAX_DOTS = 16  # points of a line that are all marked
# Paths from the center of a marker: a square, a triangle and a diamond; others are circles.
MARKERS = {
    "second": "m-3.2 -3.2h6.4v6.4h-6.4z",
    "third": "m0 -4.2l4 7.4h-8z",
    "fourth": "m0 -4.6l4 4.6l-4 4.6l-4 -4.6z",
}
Formatter = Callable[[float], str]
Position = Callable[[float], float]


@dataclass(frozen=True)
class Line:
    """Line of a chart.

    Attributes:
        labels: Labels at its end.
        values: Values, from timestep 1.
        style: CSS class.
        x: Positions along the horizontal axis, where they are not timesteps.
    """

    labels: tuple[str, ...]
    values: Sequence[float]
    style: str
    x: Sequence[float] = ()


@dataclass(frozen=True)
class XAxis:
    """Horizontal axis that is not timesteps: its name, and a formatter given the largest tick."""

    name: str
    make_formatter: Callable[[float], Formatter]


def line_chart(
    lines: Sequence[Line],
    alt_text: str,
    make_formatter: Callable[[float], Formatter],
    low: float = float("inf"),
    high: float = float("-inf"),
    x_axis: XAxis | None = None,
) -> str:
    """Draw lines over timesteps, or over another axis.

    Args:
        lines: Lines to draw.
        alt_text: Description for screen readers.
        make_formatter: Makes the formatter of the vertical axis, given its largest tick.
        low: Value that the vertical axis includes at least.
        high: The same, at its upper end.
        x_axis: Horizontal axis, if not timesteps.

    Returns:
        An SVG element.
    """
    values = [value for line in lines for value in line.values]
    marks = ticks(min(low, *values), max(high, *values))
    x, below = _value_axis(lines, x_axis) if x_axis else _timestep_axis(lines)

    def y(value: float) -> float:
        return TOP + PLOT_SIZE[1] * (marks[-1] - value) / (marks[-1] - marks[0])

    parts = [*_horizontal_grid(marks, y, make_formatter), *below]
    for line in lines:
        positions = line.x or range(1, len(line.values) + 1)
        coordinates = [(x(a), y(v)) for a, v in zip(positions, line.values, strict=True)]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in coordinates)
        parts.append(f'<polyline class="line {line.style}" points="{points}"/>')
        few = len(coordinates) <= MAX_DOTS
        dotted = coordinates if few and line.style != "pale" else coordinates[-1:]
        parts += [_dot(a, b, line.style) for a, b in dotted]
    labels = [(label, line) for line in lines for label in line.labels]
    heights = separate_labels([y(line.values[-1]) for _, line in labels], TOP, HEIGHT - BOTTOM)
    for (label, line), top in zip(labels, heights, strict=True):
        parts.append(_text(LEFT + PLOT_SIZE[0] + 9, top + 4, label, f"label {line.style}"))
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(alt_text)}">{"".join(parts)}</svg>'
    )


def pareto_chart(points: Sequence[OperatingPoint], alt_text: str) -> str:
    """Draw accuracy against energy at each timestep, as an SVG element.

    Pareto-optimal timesteps are filled, others hollow; a bar is the range of the energy. Points are
    labeled by their timestep where there is room.
    """
    accuracies = [point.accuracy for point in points]
    marks = ticks(min(accuracies), max(accuracies))
    axis = XAxis("energy per inference", energy_axis_formatter)
    line = Line((), accuracies, "first", [point.energy[1] for point in points])
    x, below = _value_axis([line], axis)

    def y(value: float) -> float:
        return TOP + PLOT_SIZE[1] * (marks[-1] - value) / (marks[-1] - marks[0])

    parts = [*_horizontal_grid(marks, y, percent_formatter), *below]
    middles = [(x(point.mean_energy), y(point.accuracy)) for point in points]
    route = " ".join(f"{a:.1f},{b:.1f}" for a, b in middles)
    parts.append(f'<polyline class="line pale" points="{route}"/>')
    labeled: list[tuple[float, float]] = []
    for point, (a, b) in zip(points, middles, strict=True):
        low, high = map(x, point.energy)
        if high - low > 1:
            parts.append(f'<path class="whisker" d="M{low:.1f} {b:.1f}H{high:.1f}"/>')
        style = "dot first" if point.optimal else "hollow first"
        parts.append(
            f'<circle class="{style}" cx="{a:.1f}" cy="{b:.1f}" r="4"><title>timestep '
            f"{point.timestep}</title></circle>"
        )
        if all(abs(a - u) > LABEL_GAP or abs(b - v) > LABEL_GAP for u, v in labeled):
            labeled.append((a, b))
            parts.append(_text(a + 3, b + 17, str(point.timestep), "middle"))
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(alt_text)}">{"".join(parts)}</svg>'
    )


def percent_formatter(_: float) -> Formatter:
    """Make the formatter of an axis of fractions in percent, whatever its largest tick."""
    return lambda fraction: f"{100 * fraction:.3g} %"


def _horizontal_grid(
    marks: Sequence[float], y: Position, make_formatter: Callable[[float], Formatter]
) -> list[str]:
    """Draw a line and a label at each of the `marks` of the vertical axis."""
    format_tick = make_formatter(max(abs(marks[0]), abs(marks[-1])))
    lines = [f'<path class="grid" d="M{LEFT} {y(m):.1f}H{LEFT + PLOT_SIZE[0]}"/>' for m in marks]
    return lines + [_text(LEFT - 8, y(m) + 4, format_tick(m), "end") for m in marks]


def _timestep_axis(lines: Sequence[Line]) -> tuple[Position, list[str]]:
    """Make the timestep axis: the position of a timestep, and the SVG of its labels."""
    steps = max(len(line.values) for line in lines)

    def x(step: float) -> float:
        return LEFT + PLOT_SIZE[0] * (step - 1) / max(steps - 1, 1)

    parts = [_text(x(step), HEIGHT - 22, str(step), "middle") for step in _timestep_ticks(steps)]
    parts.append(_text(LEFT + PLOT_SIZE[0] / 2, HEIGHT - 6, "timestep", "middle name"))
    return x, parts


def _value_axis(lines: Sequence[Line], axis: XAxis) -> tuple[Position, list[str]]:
    """Make a horizontal axis of values: the position of a value, and the SVG of its labels."""
    marks = ticks(0, max(value for line in lines for value in line.x), 4)
    format_tick = axis.make_formatter(marks[-1])

    def x(value: float) -> float:
        return LEFT + PLOT_SIZE[0] * value / marks[-1]

    parts = [_text(x(mark), HEIGHT - 22, format_tick(mark), "middle") for mark in marks]
    parts.append(_text(LEFT + PLOT_SIZE[0] / 2, HEIGHT - 6, axis.name, "middle name"))
    return x, parts


def histogram(counts: Sequence[int], alt_text: str) -> str:
    """Draw a histogram with one bar per timestep, as an SVG element."""
    marks = ticks(0, max(*counts, 1))
    width = PLOT_SIZE[0] / len(counts)
    parts = []
    for mark in marks:
        y = TOP + PLOT_SIZE[1] * (1 - mark / marks[-1])
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{LEFT + PLOT_SIZE[0]}"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{mark:,.0f}" if mark == int(mark) else "", "end"))
    for step, count in enumerate(counts):
        height = PLOT_SIZE[1] * count / marks[-1]
        parts.append(
            f'<rect class="dot first" x="{LEFT + width * (step + 0.1):.1f}" '
            f'y="{TOP + PLOT_SIZE[1] - height:.1f}" '
            f'width="{0.8 * width:.1f}" height="{height:.1f}">'
            f"<title>{count} after timestep {step + 1}</title></rect>"
        )
    for step in _timestep_ticks(len(counts)):
        parts.append(_text(LEFT + width * (step - 0.5), HEIGHT - 22, str(step), "middle"))
    parts.append(_text(LEFT + PLOT_SIZE[0] / 2, HEIGHT - 6, "timestep", "middle name"))
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(alt_text)}">{"".join(parts)}</svg>'
    )


def raster(spikes: SpikeRaster, timesteps: int) -> str:
    """Draw a spike raster, time to the right and one row per neuron, as an SVG element."""
    path = "".join(
        f"M{step}.1 {row}.1h.8v.8h-.8z" for step, row in zip(spikes.steps, spikes.rows, strict=True)
    )
    alt_text = f"{len(spikes.steps)} events of {spikes.num_rows} neurons of {spikes.population}"
    return (
        f'<svg class="raster" viewBox="0 0 {timesteps} {spikes.num_rows}" '
        f'preserveAspectRatio="none" role="img" aria-label="{escape(alt_text)}">'
        f'<path d="{path}"/></svg>'
    )


def ticks(low: float, high: float, max_ticks: int = 5) -> list[float]:
    """Compute about `max_ticks` round, equidistant ticks that cover `low` to `high`.

    >>> ticks(0.13, 0.87)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if high <= low:
        high = low + 1
    power = 10.0 ** floor(log10((high - low) / max_ticks))
    step = next(power * f for f in (1, 2, 5, 10) if power * f * max_ticks >= (high - low) * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    digits = max(12, 2 - floor(log10(step)))
    return [round(k * step, digits) for k in range(first, last + 1)]


def separate_labels(heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """Move label heights apart to at least `LABEL_GAP`, in the same order."""
    order = sorted(range(len(heights)), key=lambda k: heights[k])
    moved = list(heights)
    for above, below in zip(order, order[1:], strict=False):
        moved[below] = max(moved[below], moved[above] + LABEL_GAP)
    limit = bottom
    for k in reversed(order):
        moved[k] = max(min(moved[k], limit), top)
        limit = moved[k] - LABEL_GAP
    return moved


def _dot(x: float, y: float, style: str) -> str:
    """Mark a point by a shape of its own for each style, so that color is not all that differs."""
    if style not in MARKERS:
        return f'<circle class="dot {style}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
    return f'<path class="dot {style}" d="M{x:.1f} {y:.1f}{MARKERS[style]}"/>'


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _timestep_ticks(steps: int) -> list[int]:
    """Select the labeled timesteps: the first, the last, and round ones clear of both."""
    even = {int(mark) for mark in ticks(1, steps) if mark == int(mark)}
    return sorted({1, steps} | {mark for mark in even if 1 + steps / 8 < mark < steps * 7 / 8})
