"""Flat arrays that the loops of the CPU engine read and write, and the meaning of their fields."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

INPUT, SPIKING, INTEGRATOR = range(3)
ROWS = 8  # windows multiplied at once, by as many lanes of weights
LANES = 2 * ROWS  # targets that events are added to at once, or a few times as many
BLOCK = 64  # values that are looked through at once
PART_BITS = 6  # of a value in one product: sums of two products with a weight fit into 16 bits
APART = 128  # bytes that processors take at once: two cache lines
Bytes = NDArray[np.uint8]
Weights = NDArray[np.uint8] | NDArray[np.int8]
Words = NDArray[np.int32]
Longs = NDArray[np.int64]
Shorts = NDArray[np.int16]
Row = Any  # of one of the two tables


def _row(names: str) -> np.dtype[Any]:
    return np.dtype([(name, np.int64) for name in names.split()])


# first: its first neuron among all; row, history: bytes of one step of values, and where they
# start; delay: the longest one that asks for its values; period: neurons after which parameters
# repeat; unit: neurons that one thread computes; shares, levels: where they start; forgets, holds:
# whether no current lasts, whether each voltage does; plain: whether no current lasts or wraps, and
# spikes carry no values; largest: what a spike carries at most; into_first, into_last: its
# projections.
POPULATION = _row(
    "kind first neurons channels row history delay period unit shares levels plain forgets holds "
    "largest into_first into_last"
)
# neurons: of its target; left, shift: bits its sum is shifted left by, and right; signed, negative:
# how to read its bytes; graded: whether events carry values; product: the active sources from which
# products are faster, 0 if never; weights, starts, targets, rows, columns: where they start in
# their arrays; plane: weights of one input channel. For products, packed: where weights start;
# quads, lanes: how many fours a window sees, for how many outputs; offsets: where those fours
# start; parts: of six bits, of a value; pitch, frame: bytes of a row and of a map of the image.
PROJECTION = _row(
    "source neurons delay left shift signed negative graded sparse product weights starts targets "
    "rows columns plane windows window_columns channels height width groups group_inputs "
    "group_outputs stride_y stride_x padding_y padding_x packed quads lanes offsets parts pitch "
    "frame"
)


class CompiledNetwork(NamedTuple):
    """A network as flat arrays; `populations` and `projections` are tables in running order.

    `sizes` are those of the widest row of values, of all neurons, of the most lanes of a product,
    and of its image; `output` is the place of the population that answers, `thresholds` int64 when
    to stop on it.
    """

    populations: NDArray[Any]
    projections: NDArray[Any]
    weights: Bytes
    tables: Words
    taps: Words
    shares: Shorts
    levels: Words
    sizes: tuple[int, int, int, int]
    steps: int
    output: int
    thresholds: NDArray[np.int64]


class State(NamedTuple):
    """State of samples between runs, one row each: of neurons, and past spikes for delays.

    `current` and `voltage` int32 (batch, neurons); `history` uint8 (batch, bytes), past spikes.
    For an early exit, `clock` int64 (batch, 2), steps run and whether it has stopped, and `score`
    int64 (batch, neurons), what a spiking output has said. Loops take one row of each at a time.
    """

    current: Words
    voltage: Words
    history: Bytes
    clock: NDArray[np.int64]
    score: NDArray[np.int64]


class Recording(NamedTuple):
    """Events and recorded outputs of a run, each flat, one population after the other.

    Within `events`, `spikes` and `voltages` a population lies as in `Trace`; `spikes_first` and
    `voltages_first` say where it starts, in neurons, or -1. `counts` is int32 (batch, neurons) of
    all populations, their neurons as the loops have them; `steps` int64 (batch,) those that each
    sample ran.
    """

    timesteps: int
    batch: int
    events: Bytes
    spikes: Bytes
    spikes_first: NDArray[np.int64]
    voltages: Words
    voltages_first: NDArray[np.int64]
    counts: Words
    steps: Longs


class Partition(NamedTuple):
    """Part of each population that one thread computes.

    `counter` int64 (1,) says how often one of them came to where all wait for each other, or, of
    one part, how many samples were taken.
    """

    number: int
    parts: int
    counter: Longs


class Workspace(NamedTuple):
    """Room for one round: sums of the widest population, and the active neurons of all.

    `active` lists those of each population and step where they were `found`, then has room for
    those of an earlier round; `events` counts them. `multiplied` says of each projection whether it
    is. Of products, `image` is what windows see, `corners` where, `targets` what they add to.
    """

    sums: Words
    partial: Words
    active: Words
    events: Words
    found: Bytes
    multiplied: Bytes
    image: Bytes
    corners: Longs
    targets: Longs


def _apart(size: int, dtype: Any) -> NDArray[Any]:
    """Return zeros whose cache lines no other array shares: threads would wait for each other."""
    margin = APART // np.dtype(dtype).itemsize
    return np.zeros(size + 2 * margin, dtype)[margin : margin + size]


def allocate_workspace(layout: CompiledNetwork) -> Workspace:
    """Return room for rounds of a network; loops that run at once need one each."""
    widest, neurons, lanes, image = layout.sizes
    events = layout.steps * len(layout.populations)
    return Workspace(
        _apart(layout.steps * widest + LANES + lanes, np.int32),  # more is added to than is used
        _apart(layout.steps * widest + LANES + lanes, np.int32),
        _apart(layout.steps * neurons + widest, np.int32),
        _apart(events, np.int32),
        _apart(events, np.uint8),
        _apart(len(layout.projections), np.uint8),
        _apart(image + 3, np.uint8),  # four are read at a time
        _apart(ROWS, np.int64),
        _apart(ROWS, np.int64),
    )


def partitions(count: int) -> list[Partition]:
    """Return as many tiles as threads are to advance each sample together, for one run."""
    counter = _apart(1, np.int64)
    return [Partition(number, count, counter) for number in range(count)]


def zero_state(layout: CompiledNetwork, batch: int) -> State:
    """Return the states of `batch` samples before their first step."""
    last, answering = layout.populations[-1], layout.populations[layout.output]
    size = int(last["history"] + (last["delay"] + layout.steps) * last["row"])
    current, voltage = np.zeros((2, batch, layout.sizes[1]), np.int32)
    history = np.zeros((batch, size), np.uint8)
    clock, score = (np.zeros((batch, size), np.int64) for size in (2, answering["row"]))
    return State(current, voltage, history, clock, score)
