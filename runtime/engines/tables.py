"""The flat arrays that the fast engine's loops read and write, and what their fields mean."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

INPUT, SPIKING, INTEGRATOR = range(3)
Bytes = NDArray[np.uint8]
Weights = NDArray[np.uint8] | NDArray[np.int8]
Words = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Row = Any  # of one of the two tables


def _row(names: str) -> np.dtype[Any]:
    return np.dtype([(name, np.int64) for name in names.split()])


# first: its first neuron among all; row, history: bytes of one step of values, and where they
# start; delay: the longest one that asks for its values; period: neurons after which parameters
# repeat; shares, levels: where they start; forgets, holds: whether no current lasts, whether each
# voltage does; largest: what a spike carries at most; into_first, into_last: its projections.
POPULATION = _row(
    "kind first neurons channels row history delay period shares levels forgets holds largest "
    "into_first into_last"
)
# neurons: of its target; left, shift: bits its sum is shifted left by, and right; signed, negative:
# how to read its bytes; graded: whether events carry values; gathers: whether windows may look for
# them; product: the active sources from which products are faster, 0 if never; weights, starts,
# targets, rows, columns, matrix: where they start in their arrays; plane, fan_in: weights of one
# input channel, of one target neuron; lanes: weights in a row of the matrix.
PROJECTION = _row(
    "source neurons delay left shift signed negative graded sparse gathers product weights starts "
    "targets rows columns matrix plane windows window_columns channels height width groups "
    "group_inputs group_outputs lanes fan_in kernel_height kernel_width stride_y stride_x "
    "padding_y padding_x dilation_y dilation_x"
)


class Layout(NamedTuple):
    """A network as flat arrays; `populations` and `projections` are tables in running order.

    `nothing` is where weights are zeros; `sizes` are those of the widest row of values, of all
    neurons, of the largest fan-in, and of the longest row of a matrix; `output` is the place of the
    population that answers, `thresholds` int64 when to stop on it.
    """

    populations: NDArray[Any]
    projections: NDArray[Any]
    weights: Bytes
    tables: Words
    taps: Words
    shares: Doubles
    levels: Words
    nothing: int
    sizes: tuple[int, int, int, int]
    steps: int
    output: int
    thresholds: NDArray[np.int64]


class State(NamedTuple):
    """What samples carry from run to run, a row each: of neurons, and the values that delays need.

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
    """What a run is given and what it leaves behind, each flat, one population after the other.

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


class Scratch(NamedTuple):
    """Room for one round: sums of the widest population, and the active neurons of all.

    `active` lists those of each population and step, then has room for those of an earlier round;
    `events` counts them. `multiplied` says of each projection whether it is; `before` counts events
    before each eight neurons; `listed` has the weights of a window's events.
    """

    sums: Words
    partial: Words
    active: Words
    events: Words
    multiplied: Bytes
    before: Words
    listed: Longs
    rows: Floats
    products: Floats


def scratch_for(layout: Layout) -> Scratch:
    """Return room for rounds of a network; loops that run at once need one each."""
    widest, neurons, fan_in, lanes = layout.sizes
    return Scratch(
        np.empty(layout.steps * widest + lanes, np.int32),  # zeros are added beyond the end
        np.empty(layout.steps * widest + lanes, np.int32),
        np.zeros(layout.steps * neurons + widest + 4, np.int32),  # four are read at a time
        np.zeros(layout.steps * len(layout.populations), np.int32),
        np.zeros(len(layout.projections), np.uint8),
        np.empty(widest // 8 + 1, np.int32),
        np.empty(fan_in + 7, np.int64),
        np.empty((4, fan_in + 3), np.float32),
        np.empty((4, lanes), np.float32),
    )


def silence(layout: Layout, batch: int) -> State:
    """Return the states of `batch` samples before their first step."""
    last, answering = layout.populations[-1], layout.populations[layout.output]
    size = int(last["history"] + (last["delay"] + layout.steps) * last["row"])
    current, voltage = np.zeros((2, batch, layout.sizes[1]), np.int32)
    history = np.zeros((batch, size + 8), np.uint8)  # a word more, for loops that look beyond
    clock, score = (np.zeros((batch, size), np.int64) for size in (2, answering["row"]))
    return State(current, voltage, history, clock, score)
