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

from ..runtime import Conv, Dense, Network, Population, Program, Projection, Slice, Sparse, Trace
from ..runtime.connections import Connection, SumPool, depthwise, window_counts

LOWEST = -256
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Sliced:
    """A network of slices: which slice each of its populations is, and which stayed `whole`."""

    network: Network
    parts: Mapping[str, Slice]
    whole: tuple[str, ...]


def sliced(program: Program) -> Sliced:
    """Return the network whose populations are the slices of `program`, in the same order.

    A population with a single slice keeps its name; of others, slice k is called NAME--k. Early
    exits, which look at the whole output, are left out: see `merged`.
    """
    network = program.network
    apart = {p.name: _parts(program, p, ()) for p in network.populations}
    undivided = _undivided(network, apart)
    whole = tuple(p.name for p in network.order if p.name in undivided)
    parts = {p.name: _parts(program, p, whole) for p in network.populations}
    populations, named = [], {}
    for population in network.populations:
        for name, part in _names(population.name, parts[population.name]):
            populations.append(_cut(population, name, part))
            named[name] = part
    projections = [
        part
        for projection in network.projections
        for part in _projections(network, projection, parts)
    ]
    output = next(_names(network.output, parts[network.output]))[0]
    made = Network(tuple(populations), tuple(projections), output, network.provenance)
    return Sliced(made, named, whole)


def merged(program: Program, cut: Sliced, trace: Trace) -> Trace:
    """Return the trace of `program`'s network from that of its slices, recorded with "all"."""
    network = program.network

    def joined(arrays: Mapping[str, NDArray[Any]], leading: int) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {}
        for name, array in arrays.items():
            part = cut.parts[name]
            shape = *array.shape[:leading], *network.population(part.population).shape
            there = found.setdefault(part.population, np.zeros(shape, array.dtype))
            there[(slice(None),) * leading + part.at] = array
        return found

    return Trace(
        trace.timesteps,
        trace.batch,
        joined(trace.spikes, 2),
        joined(trace.counts, 1),
        joined(trace.voltages, 2),
    )


def _undivided(network: Network, parts: Mapping[str, Sequence[Slice]]) -> set[str]:
    """Return the populations that stay whole, were they cut into `parts`."""
    found: set[str] = set()
    for projection in network.projections:
        connection = projection.connection
        if projection.weight_exponent < 0:
            found.add(projection.source)
        if isinstance(connection, SumPool) or connection.weights.min(initial=0) > LOWEST:
            continue
        for _, _, _, _, weights in _pieces(network, projection, parts):
            if weights.min() == LOWEST and weights.max() <= 0:
                found |= {projection.source, projection.target}
    return found


def _parts(program: Program, population: Population, whole: Sequence[str]) -> tuple[Slice, ...]:
    if population.kind == "input" or population.name in whole:
        return (Slice(population.name, (0,) * len(population.shape), population.shape),)
    return tuple(part for _, part in program.slices(population.name))


def _names(name: str, parts: Sequence[Slice]) -> Iterator[tuple[str, Slice]]:
    if len(parts) == 1:
        yield name, parts[0]
        return
    for number, part in enumerate(parts):
        yield f"{name}--{number}", part


def _cut(population: Population, name: str, part: Slice) -> Population:
    """Return the neurons of `part` as a population with their own parameters."""

    def of(values: NDArray[np.int32]) -> NDArray[np.int32]:
        if values.ndim == 0:
            return values
        at = tuple(
            place if size > 1 else slice(None)
            for place, size in zip(part.at, values.shape, strict=True)
        )
        return np.broadcast_to(values[at], part.extent)

    keys = ("current_decay", "voltage_decay", "threshold", "bias")
    own: dict[str, Any] = {key: of(getattr(population, key)) for key in keys}
    return replace(population, name=name, shape=part.extent, **own)


def _projections(
    network: Network, projection: Projection, parts: Mapping[str, Sequence[Slice]]
) -> Iterator[Projection]:
    """Yield the projection from each slice of its source to each slice of its target it reaches."""
    source, target = (network.population(n) for n in (projection.source, projection.target))
    sources, targets = (list(_names(p.name, parts[p.name])) for p in (source, target))
    if len(sources) == len(targets) == 1:
        yield projection
        return
    for there, here, rows, columns, weights in _pieces(network, projection, parts):
        (one, sending), (other, getting) = sources[here], targets[there]
        yield replace(
            projection,
            name=f"{projection.name}--{there}-{here}",
            source=one,
            target=other,
            connection=Sparse(weights, rows, columns, (getting.neurons, sending.neurons)),
        )


def _pieces(
    network: Network, projection: Projection, parts: Mapping[str, Sequence[Slice]]
) -> Iterator[tuple[int, int, Whole, Whole, NDArray[np.int16]]]:
    """Yield what joins two slices: the target's number, the source's, and the synapses there."""
    source, target = (network.population(n) for n in (projection.source, projection.target))
    rows, columns, weights = synapses(projection.connection, source.shape, target.shape)
    into, row = _located(target, parts[target.name])
    out_of, column = _located(source, parts[source.name])
    pair = into[rows] * len(parts[source.name]) + out_of[columns]
    order = np.argsort(pair, kind="stable")
    starts = np.flatnonzero(np.diff(pair[order])) + 1
    for some in np.split(order, starts):
        if len(some):
            there, here = int(into[rows[some[0]]]), int(out_of[columns[some[0]]])
            yield there, here, row[rows[some]], column[columns[some]], weights[some]


def _located(population: Population, parts: Sequence[Slice]) -> tuple[Whole, Whole]:
    """Return for each neuron in which of `parts` it is, and where there, int64 (neurons,) each."""
    which = np.zeros(population.shape, np.int64)
    where = np.zeros(population.shape, np.int64)
    for number, part in enumerate(parts):
        which[part.at] = number
        where[part.at] = np.arange(part.neurons).reshape(part.extent)
    return which.ravel(), where.ravel()


def synapses(
    connection: Connection, source: tuple[int, ...], target: tuple[int, ...]
) -> tuple[Whole, Whole, NDArray[np.int16]]:
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
        connection = depthwise(connection, source[0])
    return _kernels(connection, source, target)


def _kernels(
    conv: Conv, source: tuple[int, ...], target: tuple[int, ...]
) -> tuple[Whole, Whole, NDArray[np.int16]]:
    outputs, inputs = target[0] // conv.groups, source[0] // conv.groups
    at, into = (np.arange(np.prod(shape)).reshape(shape) for shape in (source, target))
    found = []
    for tap in np.ndindex(*conv.kernel):
        met = [_met(conv, axis, tap[axis], source[1:]) for axis in (0, 1)]
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


def _met(conv: Conv, axis: int, tap: int, size: tuple[int, ...]) -> tuple[Whole, Whole]:
    """Return along an axis the targets whose kernel has `tap` inside the source, and where."""
    targets = np.arange(window_counts(conv, (1, *size))[axis])
    sources = targets * conv.stride[axis] - conv.padding[axis] + tap * conv.dilation[axis]
    inside = (sources >= 0) & (sources < size[axis])
    return targets[inside], sources[inside]
