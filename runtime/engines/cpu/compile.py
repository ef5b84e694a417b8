"""A network as the flat arrays that the CPU engine's loops read.

Populations come in running order, inputs first, and neurons lie (height, width, channel). Weights
lie (input channel, kernel row, kernel column, output channel of the group), with the columns of a
kernel ordered such that neighbors meet neighboring targets: what an event reaches in a row of
targets is one run wherever stride and dilation allow. For products there is a second copy, of fours
of neighboring inputs, for eight output channels at a time.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...arithmetic import ALIGN_BITS, DECAY_ONE, STATE_HALF
from ...connections import (
    Connection,
    Conv,
    Sparse,
    SumPool,
    as_depthwise_conv,
    conv_output_size,
)
from ...network import Network, activation_bound
from ...population import Population
from ...projection import Projection
from .structs import (
    BLOCK,
    INPUT,
    INTEGRATOR,
    LANES,
    PART_BITS,
    POPULATION,
    PROJECTION,
    ROWS,
    SPIKING,
    CompiledNetwork,
)

ROUND = 8  # steps computed of one population before the next, where nothing leads backwards
PERIOD = 1024  # neurons whose parameters are kept, about, where those of rows repeat
NEVER = np.iinfo(np.int32).max  # a threshold that no voltage passes
KINDS = {"input": INPUT, "cuba": SPIKING, "integrator": INTEGRATOR}
Shape = tuple[int, ...]
Fields = dict[str, int]
Tap = tuple[int, int, int]  # where weights start, where targets start, how many
Crossover = Callable[[Conv, Shape], float]  # a share of active sources


class ArrayBuilder:
    """Arrays laid end to end."""

    def __init__(self, empty: NDArray[Any]) -> None:
        self.arrays = [empty]
        self.size = 0

    def add(self, values: Any) -> int:
        """Append `values`, return where they start."""
        self.arrays.append(np.asarray(values, self.arrays[0].dtype))
        self.size += len(self.arrays[-1])
        return self.size - len(self.arrays[-1])

    def concatenate(self) -> NDArray[Any]:
        """Return all of them as one array."""
        return np.concatenate(self.arrays)


class ArrayBuilders:
    """The arrays that all populations and projections share."""

    def __init__(self) -> None:
        self.weights = ArrayBuilder(np.zeros(0, np.uint8))
        self.tables = ArrayBuilder(np.zeros(0, np.int32))
        self.taps = ArrayBuilder(np.zeros((0, 3), np.int32))
        self.shares = ArrayBuilder(np.zeros(0, np.int16))
        self.levels = ArrayBuilder(np.zeros(0, np.int32))


def compile_network(network: Network, crossover: Crossover) -> CompiledNetwork:
    """Return `network` as a `Layout`: layers multiply from the share that `crossover` says on.

    It is given each layer and the shape (channels, height, width) of its source.
    """
    running = (*network.inputs, *network.topological_order)
    places = {population.name: place for place, population in enumerate(running)}
    backward = [p.delay for p in network.projections if places[p.source] >= places[p.target]]
    steps = min([1 if network.early_exit else ROUND, *backward])
    pools = ArrayBuilders()
    populations: list[Fields] = []
    projections: list[Fields] = []
    first = history = 0
    for population in running:
        into = network.incoming(population.name)
        delays = [p.delay for p in network.projections if p.source == population.name]
        fields = _population(pools, population, activation_bound(network, population)) | {
            "unit": _unit(population, into),
            "first": first,
            "history": history,
            "delay": max(delays, default=0),
            "into_first": len(projections),
            "into_last": len(projections) + len(into),
        }
        populations.append(fields)
        first += population.neurons
        history += (fields["delay"] + steps) * fields["row"]
        for projection in into:
            source = running[places[projection.source]]
            projections.append(
                {
                    "source": places[source.name],
                    "neurons": population.neurons,
                    **_projection(pools, projection, source, population, crossover),
                }
            )

    pools.weights.add(np.zeros(LANES))  # are read behind the last

    def most(rows: list[Fields], field: str) -> int:
        return max((row.get(field, 0) for row in rows), default=0)

    return CompiledNetwork(
        _table(POPULATION, populations),
        _table(PROJECTION, projections),
        pools.weights.concatenate(),
        pools.tables.concatenate(),
        pools.taps.concatenate(),
        pools.shares.concatenate(),
        pools.levels.concatenate(),
        (
            most(populations, "row"),
            first,
            most(projections, "lanes"),
            steps * most(projections, "frame"),
        ),
        steps,
        places[network.output],
        np.array(network.early_exit.thresholds if network.early_exit else (), np.int64),
    )


def _table(dtype: np.dtype[Any], rows: list[Fields]) -> NDArray[Any]:
    names = dtype.names or ()
    return np.array([tuple(row.get(name, 0) for name in names) for row in rows], dtype)


def hwc_order(shape: Shape) -> NDArray[np.int64]:
    """Return for each neuron in (height, width, channel) order its index in C order of `shape`."""
    indices = np.arange(np.prod(shape)).reshape(shape)
    return indices.transpose(1, 2, 0).reshape(-1) if len(shape) == 3 else indices


def _population(pools: ArrayBuilders, population: Population, bound: int) -> Fields:
    """Describe `population`, whose activation stays within `bound`.

    Its parameters are kept for a few rows where they repeat.
    """
    shape = population.shape
    forgets = bool((population.current_decay == DECAY_ONE).all())
    wraps = bound << ALIGN_BITS >= STATE_HALF
    threshold = population.threshold << ALIGN_BITS
    shares = DECAY_ONE - population.current_decay, DECAY_ONE - population.voltage_decay
    levels = (
        np.full_like(threshold, NEVER) if population.kind == "integrator" else threshold,
        population.bias << population.bias_exponent,
    )
    repeats = len(shape) == 3 and all(value.shape != shape for value in (*shares, *levels))
    period = population.neurons
    if repeats:
        row_neurons = shape[0] * shape[2]
        period = min(period, row_neurons * max(1, PERIOD // row_neurons))
    order = hwc_order(shape)[:period]

    def row(values: tuple[NDArray[Any], ...]) -> NDArray[Any]:
        return np.concatenate([np.broadcast_to(v, shape).reshape(-1)[order] for v in values])

    return {
        "kind": KINDS[population.kind],
        "neurons": population.neurons,
        "channels": shape[0],
        "row": -(-population.neurons // BLOCK) * BLOCK,
        "period": period,
        "largest": population.max_value,
        "shares": pools.shares.add(row(shares)),
        "levels": pools.levels.add(row(levels)),
        "plain": int(forgets and not wraps and population.value_bits == 1),
        "forgets": int(forgets),
        "holds": int((population.voltage_decay == 0).all()),
    }


def _unit(population: Population, into: Sequence[Projection]) -> int:
    """Count the neurons that one thread must compute together: a row of a map, or a vector's lanes.

    All of them where they are met one by one, or answer, or stand in a row or in groups.
    """
    shape = population.shape
    connections = [p.connection for p in into]
    alone = population.kind == "integrator" or any(isinstance(c, Sparse) for c in connections)
    if len(shape) == 3 and shape[1:] != (1, 1):
        return population.neurons if alone or shape[1] == 1 else shape[0] * shape[2]
    grouped = (
        isinstance(c, SumPool) or (isinstance(c, Conv) and c.groups > 1) for c in connections
    )
    return population.neurons if alone or any(grouped) else LANES


def _projection(
    pools: ArrayBuilders,
    projection: Projection,
    source: Population,
    target: Population,
    crossover: Crossover,
) -> Fields:
    """Describe `projection`."""
    connection: Connection = projection.connection
    exponent = projection.weight_exponent
    if isinstance(connection, SumPool):
        connection = as_depthwise_conv(connection, source.shape[0])
    weights, described = _pack_weights(connection.weights)
    described |= {
        "delay": projection.delay,
        "graded": int(source.value_bits > 1),
        "parts": -(-source.value_bits // PART_BITS),
        "left": described["left"] + max(exponent, 0),
        "shift": max(-exponent, 0),
    }
    if isinstance(connection, Sparse):
        return described | _synapses(pools, connection, weights, source.shape, target.shape)
    if isinstance(connection, Conv):
        return described | _windows(pools, connection, weights, source.shape, described, crossover)
    rows, columns = hwc_order(target.shape), hwc_order(source.shape)
    weights = weights[rows][:, columns, None, None]
    one = Conv(np.zeros(weights.shape, np.int16))
    return described | _windows(pools, one, weights, (source.neurons, 1, 1), described, crossover)


def _pack_weights(weights: NDArray[np.int16]) -> tuple[NDArray[np.uint8], Fields]:
    """Return `weights` as bytes, and how to read them: a chip's synapse has no more than 8 bits.

    Of mixed sign they are even, so halves fit; of one sign their size does.
    """
    signed = int(weights.size and weights.min() < 0 < weights.max())
    negative = int(weights.size and weights.min() < 0 and not signed)
    halves = (weights >> signed).astype(np.int8).view(np.uint8)
    held = halves if signed else np.abs(weights).astype(np.uint8)
    return held, {"signed": signed, "negative": negative, "left": signed}


def _synapses(
    pools: ArrayBuilders, sparse: Sparse, weights: NDArray[np.uint8], source: Shape, target: Shape
) -> Fields:
    """Lay out the synapses of `sparse` by source neuron."""
    rows, columns = np.argsort(hwc_order(target)), np.argsort(hwc_order(source))
    order = np.argsort(columns[sparse.columns], kind="stable")
    counts = np.bincount(columns[sparse.columns], minlength=sparse.shape[1])
    return {
        "sparse": 1,
        "weights": pools.weights.add(weights[order]),
        "starts": pools.tables.add(np.concatenate([[0], np.cumsum(counts)])),
        "targets": pools.tables.add(rows[sparse.rows[order]]),
    }


def _windows(
    pools: ArrayBuilders,
    conv: Conv,
    weights: NDArray[np.uint8],
    source: Shape,
    described: Fields,
    crossover: Crossover,
) -> Fields:
    """Lay out `conv` of these `weights` for a source of shape (channels, height, width)."""
    outputs, inputs, height, width = weights.shape
    group = outputs // conv.groups
    windows = conv_output_size(conv, source)
    order = sorted(range(width), key=lambda k: (k * conv.dilation[1] % conv.stride[1], -k))
    weights = weights.reshape(conv.groups, group, inputs, height, width)
    down = _meetings(conv, 0, source[1], windows[0], list(range(height)))
    aside = _meetings(conv, 1, source[2], windows[1], order)
    rows = [
        [(place * width * group, row * windows[1] * outputs, 0) for place, row in met]
        for met in down
    ]
    columns = [
        _runs([(place * group, column * outputs, group) for place, column in met]) for met in aside
    ]
    least = math.ceil(crossover(conv, source) * math.prod(source))
    return {
        "weights": pools.weights.add(weights[..., order].transpose(0, 2, 3, 4, 1).reshape(-1)),
        "rows": _add_taps(pools, rows),
        "columns": _add_taps(pools, columns),
        "plane": height * width * group,
        "windows": windows[0] * windows[1],
        "window_columns": windows[1],
        **dict(zip(("channels", "height", "width"), source, strict=True)),
        **{"groups": conv.groups, "group_inputs": inputs, "group_outputs": group},
        **dict(zip(("stride_y", "stride_x"), conv.stride, strict=True)),
        **dict(zip(("padding_y", "padding_x"), conv.padding, strict=True)),
        **_fours(pools, conv, weights, source),
        "product": max(1, least) if least <= math.prod(source) else 0,
    }


def _fours(pools: ArrayBuilders, conv: Conv, weights: NDArray[np.uint8], source: Shape) -> Fields:
    """Lay out weights (group, output, input, row, column) for products, and say what they read.

    Inputs that lie side by side are a run, which ends with zeros such that it is whole fours.
    """
    groups, outputs, inputs, height, width = weights.shape
    channels, across = source[0], source[2] + 2 * conv.padding[1]
    joined = groups == conv.dilation[1] == 1
    run, runs = (width * inputs, height) if joined else (inputs, height * width)
    fours, lanes = -(-run // 4), -(-outputs // ROWS) * ROWS
    held = weights.transpose(0, 3, 4, 2, 1).reshape(groups, runs, run, outputs)
    padding = [(0, 0), (0, 0), (0, 4 * fours - run), (0, lanes - outputs)]
    held = np.pad(held, padding).reshape(groups, runs, fours, 4, lanes // ROWS, ROWS)
    down, aside = (np.arange(n) * d for n, d in zip((height, width), conv.dilation, strict=True))
    taps = (across * down[:, None] + (aside[:1] if joined else aside)).reshape(-1, 1) * channels
    return {
        "packed": pools.weights.add(held.transpose(0, 4, 1, 2, 5, 3).reshape(-1)),
        "quads": runs * fours,
        "lanes": lanes,
        "offsets": pools.tables.add((taps + 4 * np.arange(fours)).reshape(-1)),
        "pitch": across * channels,
        "frame": across * channels * (source[1] + 2 * conv.padding[0]),
    }


def _meetings(
    conv: Conv, axis: int, size: int, windows: int, order: list[int]
) -> list[list[tuple[int, int]]]:
    """Return for each source index of `axis` which kernel index meets it in which window."""
    stride, padding, dilation = conv.stride[axis], conv.padding[axis], conv.dilation[axis]
    meetings: list[list[tuple[int, int]]] = []
    for source in range(size):
        found = ((place, source + padding - k * dilation) for place, k in enumerate(order))
        meetings.append(
            [
                (place, start // stride)
                for place, start in found
                if start % stride == 0 and 0 <= start // stride < windows
            ]
        )
    return meetings


def _runs(taps: list[Tap]) -> list[Tap]:
    """Join taps that follow each other in weights and in targets; with groups none do."""
    runs: list[Tap] = []
    for weight, target, length in taps:
        first, onto, reach = runs[-1] if runs else (-1, -1, 0)
        if (weight, target) == (first + reach, onto + reach):
            runs[-1] = (first, onto, reach + length)
        else:
            runs.append((weight, target, length))
    return runs


def _add_taps(pools: ArrayBuilders, taps: list[list[Tap]]) -> int:
    """Append the taps of each source index, return where the table of their starts stands."""
    starts = np.cumsum([pools.taps.size, *map(len, taps)])
    pools.taps.add(np.array(sum(taps, []), np.int32).reshape(-1, 3))
    return pools.tables.add(starts)
