"""The cores of a target as a map: each chip a mesh of tiles, each core in use coloured by load."""

from collections.abc import Callable
from html import escape
from math import ceil, sqrt

from .format import format_percent, format_time
from .placement import CoreLoad, Placement

CELL = 10  # of one core, in units of the drawing
GAP = 14  # between chips
MAX_ROW_WIDTH = 260  # units in a row of chips


def core_map(placement: Placement, load: Callable[[CoreLoad], float], what: str) -> str:
    """Return the SVG of all chips that hold a core; `load` is the share of a full colour."""
    side = ceil(sqrt(placement.cores_per_tile))
    wide, high = placement.width * side * CELL, placement.height * side * CELL
    across = max(1, (MAX_ROW_WIDTH + GAP) // (wide + GAP))
    numbers = sorted({core.chip for core in placement.cores})
    rows = ceil(len(numbers) / across)
    parts = []
    for index, chip in enumerate(numbers):
        left, top = index % across * (wide + GAP), index // across * (high + GAP)
        parts.append(f'<g transform="translate({left} {top})">')
        parts.append(_tiles(placement, side))
        parts += [
            _core(placement, core, side, load) for core in placement.cores if core.chip == chip
        ]
        parts.append("</g>")
    size = min(len(numbers), across) * (wide + GAP) - GAP, rows * (high + GAP) - GAP
    said = f"{len(placement.cores)} cores of {placement.target} on a map, {what}"
    return (
        f'<svg class="map" viewBox="0 0 {size[0]} {size[1]}" role="img" '
        f'style="max-width: {2 * size[0]}px" aria-label="{escape(said)}">{"".join(parts)}</svg>'
    )


def _tiles(placement: Placement, side: int) -> str:
    """Return one path for the outlines of all tiles of a chip."""
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
    place = core.number % placement.cores_per_tile
    x = core.x * side * CELL + place % side * CELL
    y = core.y * side * CELL + place // side * CELL
    told = (
        f"chip {core.chip}, core {core.number}: {', '.join(core.populations)}; "
        f"{format_percent(core.utilization)} of {core.bottleneck}, busy {format_time(core.busy_seconds)} a step"
    )
    return (
        f'<rect class="core" x="{x + 1}" y="{y + 1}" width="{CELL - 2}" height="{CELL - 2}" '
        f'fill-opacity="{0.12 + 0.88 * load(core):.3f}"><title>{escape(told)}</title></rect>'
    )
