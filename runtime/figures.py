"""matplotlib figures that notebooks show, with one style; matplotlib is imported on use."""

from functools import cache
from io import BytesIO
from typing import Any

from .extras import import_extra

# Colors that differ in lightness as well, so that they differ in print and for color-blind eyes.
COLORS = ("#0c2461", "#8e2a5e", "#d04a12", "#2f9fa8")
LINE_STYLES = ("solid", "dashed", "dotted", "dashdot")
MARKERS = ("o", "s", "^", "D")
DOTS_PER_INCH = 100


def new_figure(user: str, size: tuple[float, float]) -> Any:
    """Make a matplotlib figure without pyplot and its global state; notebooks show it.

    Args:
        user: Name of the function that draws, for the error message.
        size: Width and height in inches.

    Raises:
        MissingPackage: matplotlib is not installed (extra `plot`).
    """
    import_extra("matplotlib.figure", "plot", user)
    return _figure_class()(figsize=size, layout="constrained")


@cache
def _figure_class() -> Any:
    """Make the class of figures that a notebook shows even where pyplot was never imported."""
    base = import_extra("matplotlib.figure", "plot", "figures").Figure
    return type("NotebookFigure", (base,), {"_repr_png_": _to_png})


def _to_png(figure: Any) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH)
    return buffer.getvalue()
