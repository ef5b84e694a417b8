"""A program as a network of slices: one population for each slice of each core, the same spikes.

Any engine runs it, and in Lava each slice becomes a process of its own. A weighted sum that is
scaled down after it was formed cannot be formed in parts, so sources of projections with a negative
`weight_exponent` stay whole; so do the ends of a projection with a weight of -256, which 8 bits
hold only beside weights of the other sign.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import (
    Conv,
    Dense,
    Network,
    Population,
    Program,
    Projection,
    Slice,
    Sparse,
    Trace,
)
from ...runtime.connections import (
    Connection,
    SumPool,
    as_depthwise_conv,
    conv_output_size,
)

MIN_WEIGHT = -256
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class SplitNetwork:
    """A network of slices: which slice each of its populations is, and which stayed `whole`."""

    network: Network
    parts: Mapping[str, Slice]
    unsplit: tuple[str, ...]


def split_by_core(program: Program) -> SplitNetwork:
    """Return the network whose populations are the slices of `program`, in the same order.

    A population with a single slice keeps its name; of others, slice k is called NAME--k. Early
    exits, which look at the whole output, are left out: see `merged`.
    """
    network = program.network
    apart = {p.name: _slices_of(program, p, ()) for p in network.populations}
    undivided = _find_unsplittable(network, apart)
    whole = tuple(p.name for p in network.topological_order if p.name in undivided)
    parts = {p.name: _slices_of(program, p, whole) for p in network.populations}
    populations, named = [], {}
    for population in network.populations:
        for name, part in _name_slices(population.name, parts[population.name]):
            populations.append(_slice_population(population, name, part))
            named[name] = part
    projections = [
        part
        for projection in network.projections
        for part in _split_projection(network, projection, parts)
    ]
    output = next(_name_slices(network.output, parts[network.output]))[0]
    made = Network(tuple(populations), tuple(projections), output, network.provenance)
    return SplitNetwork(made, named, whole)


def merge_trace(program: Program, cut: SplitNetwork, trace: Trace) -> Trace:
    """Return the trace of `program`'s network from that of its slices, recorded with "all"."""
    network = program.network

    def joined(arrays: Mapping[str, NDArray[Any]], leading: int) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {}
        for name, array in arrays.items():
            part = cut.parts[name]
            shape = *array.shape[:leading], *network.population(part.population).shape
            there = found.setdefault(part.population, np.zeros(shape, array.dtype))
            there[(slice(None),) * leading + part.index] = array
        return found

    return Trace(
        trace.timesteps,
        trace.batch,
        joined(trace.spikes, 2),
        joined(trace.counts, 1),
        joined(trace.voltages, 2),
    )


def _find_unsplittable(network: Network, parts: Mapping[str, Sequence[Slice]]) -> set[str]:
    """Return the populations that stay whole, were they cut into `parts`."""
    found: set[str] = set()
    for projection in network.projections:
        connection = projection.connection
        if projection.weight_exponent < 0:
            found.add(projection.source)
        if isinstance(connection, SumPool) or connection.weights.min(initial=0) > MIN_WEIGHT:
            continue
        for _, _, _, _, weights in _synapse_blocks(network, projection, parts):
            if weights.min() == MIN_WEIGHT and weights.max() <= 0:
                found |= {projection.source, projection.target}
    return found


def _slices_of(program: Program, population: Population, whole: Sequence[str]) -> tuple[Slice, ...]:
    if population.kind == "input" or population.name in whole:
        return (Slice(population.name, (0,) * len(population.shape), population.shape),)
    return tuple(part for _, part in program.slices(population.name))


def _name_slices(name: str, parts: Sequence[Slice]) -> Iterator[tuple[str, Slice]]:
    if len(parts) == 1:
        yield name, parts[0]
        return
    for number, part in enumerate(parts):
        yield f"{name}--{number}", part


def _slice_population(population: Population, name: str, part: Slice) -> Population:
    """Return the neurons of `part` as a population with their own parameters."""

    def of(values: NDArray[np.int32]) -> NDArray[np.int32]:
        if values.ndim == 0:
            return values
        at = tuple(
            place if size > 1 else slice(None)
            for place, size in zip(part.index, values.shape, strict=True)
        )
        return np.broadcast_to(values[at], part.shape)

    keys = ("current_decay", "voltage_decay", "threshold", "bias")
    own: dict[str, Any] = {key: of(getattr(population, key)) for key in keys}
    return replace(population, name=name, shape=part.shape, **own)


def _split_projection(
    network: Network, projection: Projection, parts: Mapping[str, Sequence[Slice]]
) -> Iterator[Projection]:
    """Yield the projection from each slice of its source to each slice of its target it reaches."""
    source, target = (network.population(n) for n in (projection.source, projection.target))
    sources, targets = (list(_name_slices(p.name, parts[p.name])) for p in (source, target))
    if len(sources) == len(targets) == 1:
        yield projection
        return
    for there, here, rows, columns, weights in _synapse_blocks(network, projection, parts):
        (one, sending), (other, getting) = sources[here], targets[there]
        yield replace(
            projection,
            name=f"{projection.name}--{there}-{here}",
            source=one,
            target=other,
            connection=Sparse(weights, rows, columns, (getting.neurons, sending.neurons)),
        )


def _synapse_blocks(
    network: Network, projection: Projection, parts: Mapping[str, Sequence[Slice]]
) -> Iterator[tuple[int, int, IntArray, IntArray, NDArray[np.int16]]]:
    """Yield what joins two slices: the target's number, the source's, and the synapses there."""
    source, target = (network.population(n) for n in (projection.source, projection.target))
    rows, columns, weights = connection_to_coo(projection.connection, source.shape, target.shape)
    into, row = _locate_neurons(target, parts[target.name])
    out_of, column = _locate_neurons(source, parts[source.name])
    pair = into[rows] * len(parts[source.name]) + out_of[columns]
    order = np.argsort(pair, kind="stable")
    starts = np.flatnonzero(np.diff(pair[order])) + 1
    for some in np.split(order, starts):
        if len(some):
            there, here = int(into[rows[some[0]]]), int(out_of[columns[some[0]]])
            yield there, here, row[rows[some]], column[columns[some]], weights[some]


def _locate_neurons(population: Population, parts: Sequence[Slice]) -> tuple[IntArray, IntArray]:
    """Return for each neuron in which of `parts` it is, and where there, int64 (neurons,) each."""
    which = np.zeros(population.shape, np.int64)
    where = np.zeros(population.shape, np.int64)
    for number, part in enumerate(parts):
        which[part.index] = number
        where[part.index] = np.arange(part.neurons).reshape(part.shape)
    return which.ravel(), where.ravel()


def connection_to_coo(
    connection: Connection, source: tuple[int, ...], target: tuple[int, ...]
) -> tuple[IntArray, IntArray, NDArray[np.int16]]:
    """Return the synapses of `connection` one by one: target, source (flat, int64) and weight.

    Weights of zero are left out but where they are listed.
    """
    if isinstance(connection, Sparse):
        return (
            connection.rows.astype(np.int64),
            connection.columns.astype(np.int64),
            connection.weights,
        )
    if isinstance(connection, Dense):
        rows, columns = np.nonzero(connection.weights)
        return rows, columns, connection.weights[rows, columns]
    if isinstance(connection, SumPool):
        connection = as_depthwise_conv(connection, source[0])
    return _conv_to_coo(connection, source, target)


def _conv_to_coo(
    conv: Conv, source: tuple[int, ...], target: tuple[int, ...]
) -> tuple[IntArray, IntArray, NDArray[np.int16]]:
    outputs, inputs = target[0] // conv.groups, source[0] // conv.groups
    at, into = (np.arange(np.prod(shape)).reshape(shape) for shape in (source, target))
    found = []
    for tap in np.ndindex(*conv.kernel):
        met = [_tap_pairs(conv, axis, tap[axis], source[1:]) for axis in (0, 1)]
        for group in range(conv.groups):
            channels = slice(group * outputs, (group + 1) * outputs)
            there = into[channels][np.ix_(np.arange(outputs), met[0][0], met[1][0])]
            feeding = slice(group * inputs, (group + 1) * inputs)
            here = at[feeding][np.ix_(np.arange(inputs), met[0][1], met[1][1])]
            weights = conv.weights[channels, :, tap[0], tap[1]][:, :, None, None]
            joined = np.broadcast_arrays(there[:, None], here[None], weights)
            kept = joined[2] != 0
            found.append([array[kept] for array in joined])
    rows, columns, weights = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
    return rows, columns, weights


def _tap_pairs(conv: Conv, axis: int, tap: int, size: tuple[int, ...]) -> tuple[IntArray, IntArray]:
    """Return along an axis the targets whose kernel has `tap` inside the source, and where."""
    targets = np.arange(conv_output_size(conv, (1, *size))[axis])
    sources = targets * conv.stride[axis] - conv.padding[axis] + tap * conv.dilation[axis]
    inside = (sources >= 0) & (sources < size[axis])
    return targets[inside], sources[inside]
