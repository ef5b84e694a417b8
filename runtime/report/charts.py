"""Charts as inline SVG: lines over timesteps, and spikes as marks. Colours are the page's."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from .report import Strip

WIDTH, HEIGHT = 420, 250
LEFT, RIGHT, TOP, BOTTOM = 50, 88, 12, 40  # margins, for marks and labels
ROOM = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
LABEL_GAP = 16
SCALE_HEIGHT = 42
Written = Callable[[float], str]
Place = Callable[[float], float]


@dataclass(frozen=True)
class Line:
    """Values from step 1 on; the `labels` stand at the end, `style` is a class of the page.

    `at` are the places along the horizontal axis, if not steps.
    """

    labels: tuple[str, ...]
    values: Sequence[float]
    style: str
    at: Sequence[float] = ()


@dataclass(frozen=True)
class Scale:
    """A further scale below the steps: what each of them is worth, and in what."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Across:
    """The horizontal axis, where it is not steps: its name, and what writes its marks."""

    name: str
    written: Callable[[float], Written]


def line_chart(
    lines: Sequence[Line],
    said: str,
    written: Callable[[float], Written],
    low: float = float("inf"),
    high: float = float("-inf"),
    scales: Sequence[Scale] = (),
    across: Across | None = None,
) -> str:
    """Return the SVG of `lines` over timesteps, or what `across` says.

    `said` is the chart in words, for those who cannot see it. `written` is given the largest mark
    of the vertical axis and returns what writes one. The axis holds all values, `low` and `high`.
    """
    values = [value for line in lines for value in line.values]
    marks = ticks(min(low, *values), max(high, *values))
    x, below = _across(lines, across) if across else _steps(lines, scales)

    def y(value: float) -> float:
        return TOP + ROOM[1] * (marks[-1] - value) / (marks[-1] - marks[0])

    write = written(max(abs(marks[0]), abs(marks[-1])))
    parts = [_text(LEFT - 8, y(mark) + 4, write(mark), "end") for mark in marks]
    parts += [f'<path class="grid" d="M{LEFT} {y(mark):.1f}H{LEFT + ROOM[0]}"/>' for mark in marks]
    parts += below
    for line in lines:
        at = line.at or range(1, len(line.values) + 1)
        places = [(x(a), y(v)) for a, v in zip(at, line.values, strict=True)]
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
        parts.append(f'<polyline class="line {line.style}" points="{points}"/>')
        dotted = places if scales or across else places[-1:]
        parts += [_dot(a, b, line.style) for a, b in dotted]
    labels = [(label, line) for line in lines for label in line.labels]
    heights = spread([y(line.values[-1]) for _, line in labels], TOP, HEIGHT - BOTTOM)
    for (label, line), height in zip(labels, heights, strict=True):
        parts.append(_text(LEFT + ROOM[0] + 9, height + 4, label, f"label {line.style}"))
    tall = HEIGHT + SCALE_HEIGHT * len(scales)
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {tall}" role="img" '
        f'aria-label="{escape(said)}">{"".join(parts)}</svg>'
    )


def _steps(lines: Sequence[Line], scales: Sequence[Scale]) -> tuple[Place, list[str]]:
    """Return where each step stands, and what is written below."""
    steps = max(len(line.values) for line in lines)

    def x(step: float) -> float:
        return LEFT + ROOM[0] * (step - 1) / max(steps - 1, 1)

    marks = _step_marks(steps)
    parts = []
    for row, scale in enumerate((Scale("timestep", tuple(map(str, range(1, steps + 1)))), *scales)):
        at = HEIGHT - 22 + SCALE_HEIGHT * row
        parts += [_text(x(step), at, scale.values[step - 1], "middle") for step in marks]
        parts.append(_text(LEFT + ROOM[0] / 2, at + 16, scale.name, "middle name"))
    return x, parts


def _across(lines: Sequence[Line], across: Across) -> tuple[Place, list[str]]:
    """Return where each value along the horizontal axis stands, and what is written below."""
    largest = max(place for line in lines for place in line.at)
    marks = ticks(0, largest, 4)
    write = across.written(marks[-1])

    def x(value: float) -> float:
        return LEFT + ROOM[0] * value / marks[-1]

    parts = [_text(x(mark), HEIGHT - 22, write(mark), "middle") for mark in marks]
    parts.append(_text(LEFT + ROOM[0] / 2, HEIGHT - 6, across.name, "middle name"))
    return x, parts


def histogram(counts: Sequence[int], said: str) -> str:
    """Return the SVG of one bar a timestep, as high as its count."""
    marks = ticks(0, max(*counts, 1))
    wide = ROOM[0] / len(counts)
    parts = []
    for mark in marks:
        y = TOP + ROOM[1] * (1 - mark / marks[-1])
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{LEFT + ROOM[0]}"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{mark:,.0f}" if mark == int(mark) else "", "end"))
    for step, count in enumerate(counts):
        tall = ROOM[1] * count / marks[-1]
        parts.append(
            f'<rect class="dot first" x="{LEFT + wide * (step + 0.1):.1f}" '
            f'y="{TOP + ROOM[1] - tall:.1f}" width="{0.8 * wide:.1f}" height="{tall:.1f}">'
            f"<title>{count} after timestep {step + 1}</title></rect>"
        )
    for step in _step_marks(len(counts)):
        parts.append(_text(LEFT + wide * (step - 0.5), HEIGHT - 22, str(step), "middle"))
    parts.append(_text(LEFT + ROOM[0] / 2, HEIGHT - 6, "timestep", "middle name"))
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(said)}">{"".join(parts)}</svg>'
    )


def raster(strip: Strip, timesteps: int) -> str:
    """Return the SVG of one population's spikes: time to the right, a row a neuron."""
    path = "".join(
        f"M{step}.1 {row}.1h.8v.8h-.8z" for step, row in zip(strip.steps, strip.rows, strict=True)
    )
    said = f"{len(strip.steps)} events of {strip.shown} neurons of {strip.population}"
    return (
        f'<svg class="raster" viewBox="0 0 {timesteps} {strip.shown}" preserveAspectRatio="none" '
        f'role="img" aria-label="{escape(said)}"><path d="{path}"/></svg>'
    )


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return about `most` round, even values, from at most `low` to at least `high`.

    >>> ticks(0.13, 0.87)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if high <= low:
        high = low + 1
    power = 10.0 ** floor(log10((high - low) / most))
    step = next(power * f for f in (1, 2, 5, 10) if power * f * most >= (high - low) * 0.999)
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return [round(k * step, 12) for k in range(first, last + 1)]


def spread(heights: Sequence[float], top: float, bottom: float) -> list[float]:
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


def _step_marks(steps: int) -> list[int]:
    """Return the steps to write: the first, the last, and round ones that stand clear of both."""
    even = {int(mark) for mark in ticks(1, steps) if mark == int(mark)}
    return sorted({1, steps} | {mark for mark in even if 1 + steps / 8 < mark < steps * 7 / 8})
