"""Flat tables of the C core: their fields, as `core.h` declares them, and how arrays are joined."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError
from .library import OTHER_SOURCES, core

FORMAT = 5  # PM_FORMAT of core.h, whose structures and constants these are
BLOCK, LANES, HALF_LANES, PART_BITS, MAX_STEPS, WEIGHT_MARGIN = 64, 16, 8, 6, 16, 320
KINDS = {"input": 0, "cuba": 1, "integrator": 2, "delta": 1, "sigma_delta": 1, "rf": 1, "rf_iz": 1}
PLANE = 3  # the kind of populations whose values another one writes
PLAIN, LEAK, WRAP, CURRENT, GENERAL_VALUES, GENERAL = range(6)
RF, RF_IZ, SIGMA_DELTA, DELTA, SUM = range(6, 11)
TO_ZERO, TO_VALUE, SUBTRACT, DELAYED, SEVERAL, ADAPTIVE = range(6)
CONV, SPARSE, DEPTHWISE = range(3)
POPULATION = tuple(
    [
        "kind",
        "first",
        "neurons",
        "channels",
        "stride",
        "history",
        "masks",
        "delay",
        "period",
        "unit",
        "factors",
        "levels",
        "update",
        "uniform",
        "wide",
        "left",
        "max_value",
        "into_first",
        "into_last",
        "past",
        "reset",
        "refractory",
        "further",
        "imaginary",
    ]  # noqa: SIM905
)
PROJECTION = tuple(
    [
        "kind",
        "source",
        "neurons",
        "delay",
        "left",
        "shift",
        "is_signed",
        "negate",
        "graded",
        "parts",
        "dense_from",
        "weights",
        "starts",
        "targets",
        "rows",
        "columns",
        "plane",
        "windows",
        "window_columns",
        "channels",
        "height",
        "width",
        "groups",
        "group_inputs",
        "group_outputs",
        "kernel_y",
        "kernel_x",
        "stride_y",
        "stride_x",
        "padding_y",
        "padding_x",
        "dilation_y",
        "dilation_x",
        "packed",
        "quads",
        "lanes",
        "offsets",
        "corners",
        "pitch",
        "frame",
        "twins",
        "narrow",
        "run",
        "by_target",
        "magic",
    ]  # noqa: SIM905
)
HEADER = tuple(
    [
        "format",
        "populations",
        "projections",
        "thresholds",
        "neurons",
        "steps",
        "history",
        "past",
        "masks",
        "sums16",
        "sums32",
        "image",
        "output",
        "states",
        "crc",
    ]  # noqa: SIM905
)
MAX_BYTES = 2**31 - 1  # that an offset in the tables can count
LONG_ROUNDS = 2**22  # bytes of values of a round, beyond which it has half as many steps
PERIOD = 1024  # neurons whose parameters are stored, about, where those of rows repeat
UNREACHABLE = np.iinfo(np.int32).max  # a threshold that no voltage exceeds
SMALL_ROWS = 8  # windows below which the products of all steps of a round are computed at once
Shape = tuple[int, ...]
Fields = dict[str, int]
Tap = tuple[int, int, int]  # where weights start, where targets start, how many


@dataclass(frozen=True, eq=False)
class CoreTables:
    """A network as flat arrays; see `core.h` for the fields of each row.

    `header` int32, `populations` and `projections` int32 (rows, fields), `weights` uint8, `tables`
    int32, `targets` uint16, `taps` int32 (taps, 3), `factors` int16, `levels` int32, `thresholds`
    int64.
    """

    header: NDArray[np.int32]
    populations: NDArray[np.int32]
    projections: NDArray[np.int32]
    weights: NDArray[np.uint8]
    tables: NDArray[np.int32]
    targets: NDArray[np.uint16]
    taps: NDArray[np.int32]
    factors: NDArray[np.int16]
    levels: NDArray[np.int32]
    thresholds: NDArray[np.int64]

    def __getitem__(self, name: str) -> int:
        """Return a field of the header."""
        return int(self.header[HEADER.index(name)])

    def seal(self) -> None:
        """Write the checksum of what the tables hold now, without which the core refuses them.

        Raises `EngineError` where the core has another layout of the tables.
        """
        try:
            checksum = core.checksum(self.arrays())
        except (AttributeError, ValueError) as error:
            raise EngineError(OTHER_SOURCES) from error
        self.header[HEADER.index("crc")] = np.uint32(checksum).view(np.int32)

    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Return the arrays in the order of the fields."""
        return tuple(vars(self).values())

    def column(self, name: str) -> NDArray[np.int32]:
        """Return a field of all projections, as a view."""
        return self.projections[:, PROJECTION.index(name)]


class ArrayBuilder:
    """An array that grows at its end, with room for `capacity` values that costs no time."""

    def __init__(self, empty: NDArray[Any], capacity: int = 64) -> None:
        self.held = np.empty((capacity, *empty.shape[1:]), empty.dtype)
        self.size = 0

    def reserve(self, count: int) -> int:
        """Append `count` values that are still to be written, return the index of the first."""
        first, self.size = self.size, self.size + count
        if self.size > len(self.held):
            grown = np.empty((max(self.size, 2 * first), *self.held.shape[1:]), self.held.dtype)
            grown[:first] = self.held[:first]
            self.held = grown
        return first

    def add(self, values: Any) -> int:
        """Append `values`, return the index of the first."""
        added = np.asarray(values, self.held.dtype)
        first = self.reserve(len(added))
        self.held[first : self.size] = added
        return first

    def align(self) -> None:
        """Append zeros up to a multiple of a block."""
        self.add(np.zeros(-self.size % BLOCK))

    def array(self) -> NDArray[Any]:
        """Return all values."""
        return self.held[: self.size]


class ArrayBuilders:
    """The arrays that all populations and projections share, and connections already laid out."""

    def __init__(self, weights: int) -> None:
        self.weights = ArrayBuilder(np.zeros(0, np.uint8), weights)
        self.tables = ArrayBuilder(np.zeros(0, np.int32))
        self.targets = ArrayBuilder(np.zeros(0, np.uint16))
        self.taps = ArrayBuilder(np.zeros((0, 3), np.int32))
        self.factors = ArrayBuilder(np.zeros(0, np.int16))
        self.levels = ArrayBuilder(np.zeros(0, np.int32))
        self.compiled: dict[tuple[int, Shape, int, Shape, str], Fields] = {}


def make_table(names: tuple[str, ...], rows: list[Fields]) -> NDArray[np.int32]:
    """Collect rows of fields as one int32 table (rows, fields)."""
    values = [[row.get(name, 0) for name in names] for row in rows]
    table = np.array(values, np.int64).reshape(len(rows), len(names))
    return table.astype(np.uint32).view(np.int32)  # `magic` is unsigned


def padded_stride(neurons: int) -> int:
    """Round a number of values up to whole blocks."""
    return -(-neurons // BLOCK) * BLOCK


def hwc_order(shape: Shape) -> NDArray[np.int64]:
    """Return for each neuron in (height, width, channel) order its index in C order of `shape`."""
    indices = np.arange(math.prod(shape)).reshape(shape)
    return indices.transpose(1, 2, 0).reshape(-1) if len(shape) == 3 else indices


def pair_fields(name: str, values: tuple[int, int]) -> Fields:
    """Name both values of a (vertical, horizontal) pair."""
    return {f"{name}_y": values[0], f"{name}_x": values[1]}
