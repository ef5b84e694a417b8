"""Split a program by core: one population for each slice of each core, with the same spikes.

Any engine runs the resulting network, and in Lava each slice becomes a process of its own. A
weighted sum that is scaled down after accumulation cannot be accumulated in parts, so sources of
projections with a negative `weight_exponent` are not split; nor are the ends of a projection with a
weight of -256, which 8 bits hold only together with weights of the other sign.
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
from ...runtime.population import LIMITS

MIN_WEIGHT = -256
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class SplitNetwork:
    """A network of slices.

    Attributes:
        network: The network, with a population for each slice.
        parts: By population of that network, its slice.
        unsplit: Populations of the original network that were not split.
    """

    network: Network
    parts: Mapping[str, Slice]
    unsplit: tuple[str, ...]


def split_by_core(program: Program) -> SplitNetwork:
    """Build the network whose populations are the slices of `program`, in the same order.

    A population with a single slice keeps its name; of others, slice k is named NAME--k. Early
    exits, which depend on the entire output, are left out: see `merge_trace`.
    """
    network = program.network
    all_slices = {p.name: _slices_of(program, p, ()) for p in network.populations}
    unsplittable = _find_unsplittable(network, all_slices)
    unsplit = tuple(p.name for p in network.topological_order if p.name in unsplittable)
    parts = {p.name: _slices_of(program, p, unsplit) for p in network.populations}
    populations, part_of = [], {}
    for population in network.populations:
        for name, part in _name_slices(population.name, parts[population.name]):
            populations.append(_slice_population(population, name, part))
            part_of[name] = part
    projections = [
        part
        for projection in network.projections
        for part in _split_projection(network, projection, parts)
    ]
    output = next(_name_slices(network.output, parts[network.output]))[0]
    split = Network(tuple(populations), tuple(projections), output, network.provenance)
    return SplitNetwork(split, part_of, unsplit)


def merge_trace(program: Program, split: SplitNetwork, trace: Trace) -> Trace:
    """Merge a trace of the slices, with every spike recorded, to one of the program's network."""
    network = program.network

    def merge(arrays: Mapping[str, NDArray[Any]], leading: int) -> dict[str, NDArray[Any]]:
        merged: dict[str, NDArray[Any]] = {}
        for name, array in arrays.items():
            part = split.parts[name]
            shape = *array.shape[:leading], *network.population(part.population).shape
            entire = merged.setdefault(part.population, np.zeros(shape, array.dtype))
            entire[(slice(None),) * leading + part.index] = array
        return merged

    return Trace(
        trace.timesteps,
        trace.batch,
        merge(trace.spikes, 2),
        merge(trace.counts, 1),
        merge(trace.voltages, 2),
        currents=merge(trace.currents, 2),
        network=network,
    )


def _find_unsplittable(network: Network, parts: Mapping[str, Sequence[Slice]]) -> set[str]:
    """Find the populations that cannot be divided into `parts` exactly."""
    unsplittable: set[str] = set()
    for projection in network.projections:
        connection = projection.connection
        if projection.weight_exponent < 0:
            unsplittable.add(projection.source)
        if isinstance(connection, SumPool) or connection.weights.min(initial=0) > MIN_WEIGHT:
            continue
        for block in _synapse_blocks(network, projection, parts):
            if block.weights.min() == MIN_WEIGHT and block.weights.max() <= 0:
                unsplittable |= {projection.source, projection.target}
    return unsplittable


def _slices_of(
    program: Program, population: Population, unsplit: Sequence[str]
) -> tuple[Slice, ...]:
    if population.kind == "input" or population.name in unsplit:
        return (Slice(population.name, (0,) * len(population.shape), population.shape),)
    return tuple(part for _, part in program.slices(population.name))


def _name_slices(name: str, parts: Sequence[Slice]) -> Iterator[tuple[str, Slice]]:
    if len(parts) == 1:
        yield name, parts[0]
        return
    for number, part in enumerate(parts):
        yield f"{name}--{number}", part


def _slice_population(population: Population, name: str, part: Slice) -> Population:
    """Extract the neurons of `part` as a population with their own parameters."""

    def extract(values: NDArray[np.int32]) -> NDArray[np.int32]:
        if values.ndim == 0:
            return values
        index = tuple(
            along if size > 1 else slice(None)
            for along, size in zip(part.index, values.shape, strict=True)
        )
        return np.broadcast_to(values[index], part.shape)

    parameters: dict[str, Any] = {key: extract(getattr(population, key)) for key in LIMITS}
    return replace(population, name=name, shape=part.shape, **parameters)


def _split_projection(
    network: Network, projection: Projection, parts: Mapping[str, Sequence[Slice]]
) -> Iterator[Projection]:
    """Yield a projection for each pair of a source slice and a target slice that it connects."""
    source, target = (network.population(n) for n in (projection.source, projection.target))
    sources, targets = (list(_name_slices(p.name, parts[p.name])) for p in (source, target))
    if len(sources) == len(targets) == 1:
        yield projection
        return
    for block in _synapse_blocks(network, projection, parts):
        source_name, source_part = sources[block.source]
        target_name, target_part = targets[block.target]
        shape = target_part.neurons, source_part.neurons
        yield replace(
            projection,
            name=f"{projection.name}--{block.target}-{block.source}",
            source=source_name,
            target=target_name,
            connection=Sparse(block.weights, block.rows, block.columns, shape),
        )


@dataclass(frozen=True)
class _SynapseBlock:
    """Synapses between two slices, in COO format, neurons counted within their slices."""

    target: int
    source: int
    rows: IntArray
    columns: IntArray
    weights: NDArray[np.int16]


def _synapse_blocks(
    network: Network, projection: Projection, parts: Mapping[str, Sequence[Slice]]
) -> Iterator[_SynapseBlock]:
    """Yield the synapses of `projection` by pair of target slice and source slice."""
    source, target = (network.population(n) for n in (projection.source, projection.target))
    rows, columns, weights = connection_to_coo(projection.connection, source.shape, target.shape)
    target_slice, row = _locate_neurons(target, parts[target.name])
    source_slice, column = _locate_neurons(source, parts[source.name])
    pair = target_slice[rows] * len(parts[source.name]) + source_slice[columns]
    order = np.argsort(pair, kind="stable")
    starts = np.flatnonzero(np.diff(pair[order])) + 1
    for block in np.split(order, starts):
        if len(block):
            of_rows, of_columns = rows[block], columns[block]
            yield _SynapseBlock(
                int(target_slice[of_rows[0]]),
                int(source_slice[of_columns[0]]),
                row[of_rows],
                column[of_columns],
                weights[block],
            )


def _locate_neurons(population: Population, parts: Sequence[Slice]) -> tuple[IntArray, IntArray]:
    """Number of each neuron's slice, and its index in that slice, int64 (neurons,) each."""
    number = np.zeros(population.shape, np.int64)
    index = np.zeros(population.shape, np.int64)
    for k, part in enumerate(parts):
        number[part.index] = k
        index[part.index] = np.arange(part.neurons).reshape(part.shape)
    return number.ravel(), index.ravel()


def connection_to_coo(
    connection: Connection, source: tuple[int, ...], target: tuple[int, ...]
) -> tuple[IntArray, IntArray, NDArray[np.int16]]:
    """Convert a connection to COO format.

    Args:
        connection: The connection.
        source: Shape of the source population.
        target: Shape of the target population.

    Returns:
        Target neurons, source neurons (flat, int64) and weights. Weights of zero are left out,
        except those that a `Sparse` stores.
    """
    if isinstance(connection, Sparse):
        rows, columns = connection.rows.astype(np.int64), connection.columns.astype(np.int64)
        return rows, columns, connection.weights
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
    source_index, target_index = (
        np.arange(np.prod(shape)).reshape(shape) for shape in (source, target)
    )
    parts = []
    for tap in np.ndindex(*conv.kernel):
        rows, columns = (_tap_pairs(conv, axis, tap[axis], source[1:]) for axis in (0, 1))
        for group in range(conv.groups):
            out_channels = np.arange(group * outputs, (group + 1) * outputs)
            in_channels = np.arange(group * inputs, (group + 1) * inputs)
            targets = target_index[np.ix_(out_channels, rows[0], columns[0])]
            sources = source_index[np.ix_(in_channels, rows[1], columns[1])]
            weights = conv.weights[out_channels, :, tap[0], tap[1]][:, :, None, None]
            synapses = np.broadcast_arrays(targets[:, None], sources[None], weights)
            stored = synapses[2] != 0
            parts.append([array[stored] for array in synapses])
    targets, sources, weights = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return targets, sources, weights


def _tap_pairs(conv: Conv, axis: int, tap: int, size: tuple[int, ...]) -> tuple[IntArray, IntArray]:
    """Targets along `axis` whose kernel tap is inside the source, and the source positions."""
    targets = np.arange(conv_output_size(conv, (1, *size))[axis])
    sources = targets * conv.stride[axis] - conv.padding[axis] + tap * conv.dilation[axis]
    inside = (sources >= 0) & (sources < size[axis])
    return targets[inside], sources[inside]
