"""Charts as inline SVG: lines over timesteps, and spikes as marks. Colours are the page's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from .model import SpikeRaster

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 50, 88, 12, 40  # margins, for marks and labels
PLOT_SIZE = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
LABEL_GAP = 16
SCALE_HEIGHT = 42
Formatter = Callable[[float], str]
Position = Callable[[float], float]


@dataclass(frozen=True)
class Line:
    """Values from step 1 on; the `labels` stand at the end, `style` is a class of the page.

    `at` are the places along the horizontal axis, if not steps.
    """

    labels: tuple[str, ...]
    values: Sequence[float]
    style: str
    x: Sequence[float] = ()


@dataclass(frozen=True)
class SecondaryScale:
    """A further scale below the steps: what each of them is worth, and in what."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class XAxis:
    """The horizontal axis, where it is not steps: its name, and what writes its marks."""

    name: str
    make_formatter: Callable[[float], Formatter]


def line_chart(
    lines: Sequence[Line],
    alt_text: str,
    make_formatter: Callable[[float], Formatter],
    low: float = float("inf"),
    high: float = float("-inf"),
    scales: Sequence[SecondaryScale] = (),
    x_axis: XAxis | None = None,
) -> str:
    """Return the SVG of `lines` over timesteps, or what `across` says.

    `said` is the chart in words, for those who cannot see it. `written` is given the largest mark
    of the vertical axis and returns what writes one. The axis holds all values, `low` and `high`.
    """
    values = [value for line in lines for value in line.values]
    marks = ticks(min(low, *values), max(high, *values))
    x, below = _value_axis(lines, x_axis) if x_axis else _timestep_axis(lines, scales)

    def y(value: float) -> float:
        return TOP + PLOT_SIZE[1] * (marks[-1] - value) / (marks[-1] - marks[0])

    write = make_formatter(max(abs(marks[0]), abs(marks[-1])))
    parts = [_text(LEFT - 8, y(mark) + 4, write(mark), "end") for mark in marks]
    parts += [
        f'<path class="grid" d="M{LEFT} {y(mark):.1f}H{LEFT + PLOT_SIZE[0]}"/>' for mark in marks
    ]
    parts += below
    for line in lines:
        at = line.x or range(1, len(line.values) + 1)
        places = [(x(a), y(v)) for a, v in zip(at, line.values, strict=True)]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        parts.append(f'<polyline class="line {line.style}" points="{points}"/>')
        dotted = places if scales or x_axis else places[-1:]
        parts += [_dot(a, b, line.style) for a, b in dotted]
    labels = [(label, line) for line in lines for label in line.labels]
    heights = separate_labels([y(line.values[-1]) for _, line in labels], TOP, HEIGHT - BOTTOM)
    for (label, line), height in zip(labels, heights, strict=True):
        parts.append(_text(LEFT + PLOT_SIZE[0] + 9, height + 4, label, f"label {line.style}"))
    tall = HEIGHT + SCALE_HEIGHT * len(scales)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {tall}" role="img" '
        f'aria-label="{escape(alt_text)}">{"".join(parts)}</svg>'
    )


def _timestep_axis(
    lines: Sequence[Line], scales: Sequence[SecondaryScale]
) -> tuple[Position, list[str]]:
    """Return where each step stands, and what is written below."""
    steps = max(len(line.values) for line in lines)

    def x(step: float) -> float:
        return LEFT + PLOT_SIZE[0] * (step - 1) / max(steps - 1, 1)

    marks = _timestep_ticks(steps)
    parts = []
    for row, scale in enumerate(
        (SecondaryScale("timestep", tuple(map(str, range(1, steps + 1)))), *scales)
    ):
        at = HEIGHT - 22 + SCALE_HEIGHT * row
        parts += [_text(x(step), at, scale.values[step - 1], "middle") for step in marks]
        parts.append(_text(LEFT + PLOT_SIZE[0] / 2, at + 16, scale.name, "middle name"))
    return x, parts


def _value_axis(lines: Sequence[Line], across: XAxis) -> tuple[Position, list[str]]:
    """Return where each value along the horizontal axis stands, and what is written below."""
    largest = max(place for line in lines for place in line.x)
    marks = ticks(0, largest, 4)
    write = across.make_formatter(marks[-1])

    def x(value: float) -> float:
        return LEFT + PLOT_SIZE[0] * value / marks[-1]

    parts = [_text(x(mark), HEIGHT - 22, write(mark), "middle") for mark in marks]
    parts.append(_text(LEFT + PLOT_SIZE[0] / 2, HEIGHT - 6, across.name, "middle name"))
    return x, parts


def histogram(counts: Sequence[int], alt_text: str) -> str:
    """Return the SVG of one bar a timestep, as high as its count."""
    marks = ticks(0, max(*counts, 1))
    wide = PLOT_SIZE[0] / len(counts)
    parts = []
    for mark in marks:
        y = TOP + PLOT_SIZE[1] * (1 - mark / marks[-1])
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{LEFT + PLOT_SIZE[0]}"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{mark:,.0f}" if mark == int(mark) else "", "end"))
    for step, count in enumerate(counts):
        tall = PLOT_SIZE[1] * count / marks[-1]
        parts.append(
            f'<rect class="dot first" x="{LEFT + wide * (step + 0.1):.1f}" '
            f'y="{TOP + PLOT_SIZE[1] - tall:.1f}" width="{0.8 * wide:.1f}" height="{tall:.1f}">'
            f"<title>{count} after timestep {step + 1}</title></rect>"
        )
    for step in _timestep_ticks(len(counts)):
        parts.append(_text(LEFT + wide * (step - 0.5), HEIGHT - 22, str(step), "middle"))
    parts.append(_text(LEFT + PLOT_SIZE[0] / 2, HEIGHT - 6, "timestep", "middle name"))
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(alt_text)}">{"".join(parts)}</svg>'
    )


def raster(strip: SpikeRaster, timesteps: int) -> str:
    """Return the SVG of one population's spikes: time to the right, a row a neuron."""
    path = "".join(
        f"M{step}.1 {row}.1h.8v.8h-.8z" for step, row in zip(strip.steps, strip.rows, strict=True)
    )
    said = f"{len(strip.steps)} events of {strip.num_rows} neurons of {strip.population}"
    return (
        f'<svg class="raster" viewBox="0 0 {timesteps} {strip.num_rows}" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(said)}"><path d="{path}"/></svg>'
    )


def ticks(low: float, high: float, max_ticks: int = 5) -> list[float]:
    """Return about `most` round, even values, from at most `low` to at least `high`.

    >>> ticks(0.13, 0.87)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if high <= low:
        high = low + 1
    power = 10.0 ** floor(log10((high - low) / max_ticks))
    step = next(power * f for f in (1, 2, 5, 10) if power * f * max_ticks >= (high - low) * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def separate_labels(heights: Sequence[float], top: float, bottom: float) -> list[float]:
    """Return `heights` moved until labels there stand apart, in the same order."""
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
    return f'<circle class="dot {style}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'


def _text(x: float, y: float, words: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _timestep_ticks(steps: int) -> list[int]:
    """Return the steps to write: the first, the last, and round ones that stand clear of both."""
    even = {int(mark) for mark in ticks(1, steps) if mark == int(mark)}
    return sorted({1, steps} | {mark for mark in even if 1 + steps / 8 < mark < steps * 7 / 8})
