"""Confusion matrix: a chart of the counts, and accuracy by class."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

CELL = 30  # side of a cell, in units of the drawing
MARGIN = 22  # for the captions of rows and columns
CHARACTER = 7.4  # width of a character of a class name
MAX_LABEL = 12  # characters of a class name on an axis
MAX_NUMBERED = 24  # classes up to which cells show their counts


@dataclass(frozen=True)
class ClassAccuracy:
    """Accuracy of one class after the last timestep.

    Attributes:
        name: Name of the class.
        samples: Number of its samples.
        correct: Number of them that are predicted as it.
        mistaken_for: The class that most others are predicted as, empty without any.
        mistakes: Number of samples that are predicted as that class.
    """

    name: str
    samples: int
    correct: int
    mistaken_for: str = ""
    mistakes: int = 0

    @property
    def accuracy(self) -> float | None:
        """Fraction that is correct, 0 to 1; None without a sample."""
        return self.correct / self.samples if self.samples else None


def accuracy_by_class(
    matrix: Sequence[Sequence[int]], classes: Sequence[str]
) -> tuple[ClassAccuracy, ...]:
    """Compute the accuracy of each class.

    Args:
        matrix: Number of samples by true class (rows) and predicted class (columns).
        classes: Names of the classes.
    """
    rows = []
    for true, (name, counts) in enumerate(zip(classes, matrix, strict=True)):
        others = [0 if k == true else count for k, count in enumerate(counts)]
        mistakes = max(others)
        worst = classes[others.index(mistakes)] if mistakes else ""
        rows.append(ClassAccuracy(name, sum(counts), counts[true], worst, mistakes))
    return tuple(rows)


def confusion_chart(matrix: Sequence[Sequence[int]], classes: Sequence[str]) -> str:
    """Draw a confusion matrix as an SVG element: rows are true classes, columns predicted ones.

    The darkness of a cell is the fraction of the samples of its row; up to 24 classes the cells
    show their counts.
    """
    size = len(matrix)
    labels = [_shorten(name) for name in classes]
    left = MARGIN + CHARACTER * max(map(len, labels)) + 6
    turned = max(map(len, labels)) > 3
    top = MARGIN + (CHARACTER * max(map(len, labels)) + 6 if turned else 18)
    parts = [
        _text(left + CELL * size / 2, 13, "predicted class", "middle name"),
        f'<g transform="translate(13 {top + CELL * size / 2:.1f}) rotate(-90)">'
        f"{_text(0, 0, 'true class', 'middle name')}</g>",
    ]
    for k, label in enumerate(labels):
        center = CELL * (k + 0.5)
        parts.append(_text(left - 6, top + center + 4.5, label, "end"))
        if turned:
            place = f"translate({left + center + 4.5:.1f} {top - 6:.1f}) rotate(-90)"
            parts.append(f'<g transform="{place}">{_text(0, 0, label, "")}</g>')
        else:
            parts.append(_text(left + center, top - 6, label, "middle"))
    for row, counts in enumerate(matrix):
        total = sum(counts) or 1
        for column, count in enumerate(counts):
            x, y = left + CELL * column, top + CELL * row
            tooltip = f"{count} of {sum(counts)} of {classes[row]} predicted as {classes[column]}"
            parts.append(_cell(x, y, count, count / total, tooltip, size <= MAX_NUMBERED))
    width, height = left + CELL * size + 1, top + CELL * size + 1
    alt_text = f"Confusion matrix of {size} classes, true classes in rows"
    return (
        f'<svg class="chart confusion" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
        f'aria-label="{alt_text}">{"".join(parts)}</svg>'
    )


def _cell(x: float, y: float, count: int, fraction: float, tooltip: str, numbered: bool) -> str:
    shape = (
        f'<rect class="cell" x="{x + 0.5:.1f}" y="{y + 0.5:.1f}" width="{CELL - 1}" '
        f'height="{CELL - 1}" fill-opacity="{0.85 * fraction**0.5:.3f}">'
        f"<title>{escape(tooltip)}</title></rect>"
    )
    if not (numbered and count):
        return shape
    style = "count inverse" if fraction > 0.4 else "count"
    return shape + _text(x + CELL / 2, y + CELL / 2 + 4.5, str(count), style)


def _shorten(name: str) -> str:
    return name if len(name) <= MAX_LABEL else f"{name[: MAX_LABEL - 1]}\u2026"


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
