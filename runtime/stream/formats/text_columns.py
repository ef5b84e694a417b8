"""Order of the columns of a text recording, from its header or from its numbers."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

ORDERS = ("txyp", "xypt", "xytp")
MAX_SIDE = 1 << 16  # pixels
MIN_FIT = 0.9  # of the lines of a sample; the others are malformed
NAMES = {
    "t": ("t", "ts", "time", "timestamp", "timestamps"),
    "x": ("x", "col", "column"),
    "y": ("y", "row"),
    "p": ("p", "pol", "polarity", "polarities", "on", "on_off", "sign"),
}
UNITS = {
    "us": 1,
    "microseconds": 1,
    "ms": 1000,
    "s": 1_000_000,
    "sec": 1_000_000,
    "seconds": 1_000_000,
}


class Columns(NamedTuple):
    """Indices of time, x, y and polarity among `total` columns.

    `microseconds` of a unit of time, where the header states it, else 0.
    """

    order: tuple[int, int, int, int]
    total: int
    microseconds: int = 0


def parse_header(line: bytes) -> Columns | None:
    """Return the columns that a line of names states, None where it is no such line."""
    text = line.decode("latin-1").strip().lstrip("#%/ ").lower().strip()
    separator = next((s for s in (",", ";", "\t") if s in text), None)
    names = [name.strip().strip("'\"") for name in text.split(separator)]
    found: dict[str, int] = {}
    unit = 0
    for place, name in enumerate(names):
        stem, *rest = re.split(r"[\s_(\[]+", name.rstrip(")]"), maxsplit=1)
        for key, words in NAMES.items():
            if name in words or (stem in words and (key == "t" and "".join(rest) in UNITS)):
                found.setdefault(key, place)
                unit = UNITS["".join(rest)] if name not in words else unit
    if len(found) < len(NAMES):
        return None
    return Columns((found["t"], found["x"], found["y"], found["p"]), len(names), unit)


def detect_columns(rows: Sequence[Sequence[bytes]], order: str | None) -> Columns:
    """Return the columns of a recording without a header from its first `rows` of fields.

    Of the orders "txyp", "xypt" and "xytp" it is the first in which polarity is -1, 0 or 1 and x
    and y are coordinates, preferred where times seldom go back; "txyp" if none fits.
    """
    if order is None:
        numbers = _parse_sample(rows)
        possible = [candidate for candidate in ORDERS if _has_events(numbers, candidate)]
        ahead = [candidate for candidate in possible if _is_ordered(numbers, candidate)]
        order = (*ahead, *possible, ORDERS[0])[0]
    t, x, y, p = (order.index(key) for key in "txyp")
    return Columns((t, x, y, p), 4)


def _parse_sample(rows: Sequence[Sequence[bytes]]) -> list[list[float]]:
    words = {b"true": b"1", b"on": b"1", b"false": b"0", b"off": b"0"}
    numbers = []
    for row in rows:
        try:
            numbers.append([float(words.get(field.lower(), field)) for field in row])
        except ValueError:
            continue
    return [row for row in numbers if len(row) == 4 and all(map(math.isfinite, row))]


def _has_events(numbers: list[list[float]], order: str) -> bool:
    if not numbers:
        return False
    columns = np.array(numbers).T
    x, y, p = (columns[order.index(key)] for key in "xyp")
    is_place = (x == np.floor(x)) & (y == np.floor(y)) & (np.minimum(x, y) >= 0)
    is_event = is_place & (np.maximum(x, y) < MAX_SIDE) & np.isin(p, (-1, 0, 1))
    return bool(np.mean(is_event) >= MIN_FIT)


def _is_ordered(numbers: list[list[float]], order: str) -> bool:
    t = np.array(numbers)[:, order.index("t")]
    return len(t) < 2 or bool(np.mean(t[1:] >= t[:-1]) >= MIN_FIT)
