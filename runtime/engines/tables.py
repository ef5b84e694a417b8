"""The flat arrays that the fast engine's loops read and write, and what their fields mean."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

INPUT, SPIKING, INTEGRATOR = range(3)
Bytes = NDArray[np.uint8]
Shorts = NDArray[np.int16]
Words = NDArray[np.int32]
Longs = NDArray[np.int64]
Floats = NDArray[np.float32]
Row = Any  # of one of the two tables


def _row(names: str) -> np.dtype[Any]:
    return np.dtype([(name, np.int64) for name in names.split()])


# first: its first neuron among all; row, history: bytes of one step of values, and where they
# start; delay: the longest one that asks for its values; period: neurons after which the
# parameters repeat; largest: what a spike carries at most; into_first, into_last: its projections.
POPULATION = _row(
    "kind first neurons channels row history delay period parameters largest into_first into_last"
)
# shift: bits to the right of its own sum; small: whether eight weights add up within 16 bits;
# weights, starts, targets, rows, columns, matrix: where they start in their arrays; plane, fan_in:
# weights of one input channel, of one target neuron.
PROJECTION = _row(
    "source delay shift sparse product small weights starts targets rows columns matrix plane "
    "windows window_columns channels height width groups group_inputs group_outputs fan_in "
    "kernel_height kernel_width stride_y stride_x padding_y padding_x dilation_y dilation_x"
)


class Layout(NamedTuple):
    """A network as flat arrays; `populations` and `projections` are tables in running order.

    `output` is the place of the population that answers, `thresholds` int64 when to stop on it.
    """

    populations: NDArray[Any]
    projections: NDArray[Any]
    weights: Shorts
    tables: Words
    taps: Words
    parameters: Words
    steps: int
    output: int
    thresholds: NDArray[np.int64]


class State(NamedTuple):
    """What one sample carries along: int32 (neurons,) twice, and the values that delays need.

    Where it may stop early, `clock` int64 (2,) says how many steps it has run and whether it has
    stopped, `score` int64 (neurons,) what a spiking output has said so far.
    """

    current: Words
    voltage: Words
    history: Bytes
    clock: NDArray[np.int64]
    score: NDArray[np.int64]


class Recording(NamedTuple):
    """What a run is given and what it leaves behind, each flat, one population after the other.

    Within `events`, `spikes` and `voltages` a population lies as in `Trace`; `spikes_first` and
    `voltages_first` say where it starts, in neurons, or -1. `counts` is int32 (batch, neurons).
    """

    timesteps: int
    batch: int
    events: Bytes
    spikes: Bytes
    spikes_first: NDArray[np.int64]
    voltages: Words
    voltages_first: NDArray[np.int64]
    counts: Words


class Scratch(NamedTuple):
    """Room for one round: sums of the widest population, and the active neurons of all.

    `events` counts those of each population and step, one population after the other; `past` has
    room for those of an earlier round. `carried` and `apart` describe up to eight events.
    """

    sums: Words
    partial: Words
    active: Words
    events: Words
    past: Words
    carried: Words
    apart: Longs
    rows: Floats
    products: Floats
