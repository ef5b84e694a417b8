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
Written = Callable[[float], str]


@dataclass(frozen=True)
class Line:
    """Values from step 1 on; the `labels` stand at the end, `style` is a class of the page."""

    labels: tuple[str, ...]
    values: Sequence[float]
    style: str


def line_chart(
    lines: Sequence[Line],
    said: str,
    written: Callable[[float], Written],
    low: float = float("inf"),
    high: float = float("-inf"),
) -> str:
    """Return the SVG of `lines` over timesteps.

    `said` is the chart in words, for those who cannot see it. `written` is given the largest mark
    of the vertical axis and returns what writes one. The axis holds all values, `low` and `high`.
    """
    values = [value for line in lines for value in line.values]
    marks = ticks(min(low, *values), max(high, *values))
    steps = max(len(line.values) for line in lines)

    def x(step: int) -> float:
        return LEFT + ROOM[0] * (step - 1) / max(steps - 1, 1)

    def y(value: float) -> float:
        return TOP + ROOM[1] * (marks[-1] - value) / (marks[-1] - marks[0])

    write = written(max(abs(marks[0]), abs(marks[-1])))
    parts = [_text(LEFT - 8, y(mark) + 4, write(mark), "end") for mark in marks]
    parts += [f'<path class="grid" d="M{LEFT} {y(mark):.1f}H{LEFT + ROOM[0]}"/>' for mark in marks]
    parts += [_text(x(step), HEIGHT - 22, str(step), "middle") for step in _step_marks(steps)]
    parts += [_text(LEFT + ROOM[0] / 2, HEIGHT - 4, "timestep", "middle")]
    for line in lines:
        points = " ".join(f"{x(k + 1):.1f},{y(v):.1f}" for k, v in enumerate(line.values))
        last = points.split(" ")[-1].split(",")
        parts.append(f'<polyline class="line {line.style}" points="{points}"/>')
        parts.append(f'<circle class="dot {line.style}" cx="{last[0]}" cy="{last[1]}" r="3"/>')
    labels = [(label, line) for line in lines for label in line.labels]
    heights = spread([y(line.values[-1]) for _, line in labels], TOP, HEIGHT - BOTTOM)
    for (label, line), height in zip(labels, heights, strict=True):
        parts.append(_text(LEFT + ROOM[0] + 9, height + 4, label, f"label {line.style}"))
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


def _text(x: float, y: float, words: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _step_marks(steps: int) -> list[int]:
    """Return the steps to write: the first, the last, and round ones that stand clear of both."""
    even = {int(mark) for mark in ticks(1, steps) if mark == int(mark)}
    return sorted({1, steps} | {mark for mark in even if 1 + steps / 8 < mark < steps * 7 / 8})
