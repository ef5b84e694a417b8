"""Map of the cores of a target: each chip a mesh of tiles, each core in use colored by load."""

from collections.abc import Callable
from html import escape
from math import ceil, sqrt

from .format import format_percent, format_time
from .placement import CoreLoad, Placement

CELL = 10  # side of a core, in units of the drawing
GAP = 14  # between chips
MAX_ROW_WIDTH = 260  # of a row of chips


def core_map(placement: Placement, load: Callable[[CoreLoad], float], alt_text: str) -> str:
    """Draw all chips in use as an SVG element; `load` is the opacity of a core, 0 to 1."""
    side = ceil(sqrt(placement.cores_per_tile))
    width, height = placement.width * side * CELL, placement.height * side * CELL
    per_row = max(1, (MAX_ROW_WIDTH + GAP) // (width + GAP))
    chips = sorted({core.chip for core in placement.cores})
    rows = ceil(len(chips) / per_row)
    parts = []
    for index, chip in enumerate(chips):
        left, top = index % per_row * (width + GAP), index // per_row * (height + GAP)
        parts.append(f'<g transform="translate({left} {top})">')
        parts.append(_tiles(placement, side))
        parts += [
            _core(placement, core, side, load) for core in placement.cores if core.chip == chip
        ]
        parts.append("</g>")
    size = min(len(chips), per_row) * (width + GAP) - GAP, rows * (height + GAP) - GAP
    label = f"Map of {len(placement.cores)} cores of {placement.target}, {alt_text}"
    return (
        f'<svg class="map" viewBox="0 0 {size[0]} {size[1]}" role="img" '
        f'style="max-width: {2 * size[0]}px" aria-label="{escape(label)}">{"".join(parts)}</svg>'
    )


def _tiles(placement: Placement, side: int) -> str:
    """Draw the outlines of all tiles of a chip, as one path."""
    step = side * CELL
    return '<path class="tiles" d="{}"/>'.format(
        "".join(
            f"M{x * step} {y * step}h{step}v{step}h-{step}z"
            for x in range(placement.width)
            for y in range(placement.height)
        )
    )


def _core(
    placement: Placement, core: CoreLoad, side: int, load: Callable[[CoreLoad], float]
) -> str:
    index = core.number % placement.cores_per_tile
    x = core.x * side * CELL + index % side * CELL
    y = core.y * side * CELL + index // side * CELL
    tooltip = (
        f"chip {core.chip}, core {core.number}: {', '.join(core.populations)}; "
        f"{format_percent(core.utilization)} of {core.bottleneck}, "
        f"busy {format_time(core.busy_seconds)} per timestep"
    )
    return (
        f'<rect class="core" x="{x + 1}" y="{y + 1}" width="{CELL - 2}" height="{CELL - 2}" '
        f'fill-opacity="{0.12 + 0.88 * load(core):.3f}"><title>{escape(tooltip)}</title></rect>'
    )
