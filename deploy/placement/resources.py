"""Resources of a core that slices of a network occupy: exact counts, and lower bounds of them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...runtime import Conv, Dense, Population, Projection, Slice
from ...runtime.connections import SumPool
from ..targets.target import Synapse
from .problem import PlacementProblem, ResourceVector
from .slice_fan_in import count_valid_kernel_taps
from .synaptic_memory import has_shared_kernel, slice_axon_count, slice_synapse_words

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


class FanOutIndex:
    """Index of the source neurons of one projection that reach each of the slices of its target.

    Holds prefix sums along each axis of the source, so that counting the senders of a slice of the
    source takes two look-ups per axis.
    """

    def __init__(
        self, problem: PlacementProblem, projection: Projection, parts: Sequence[Slice]
    ) -> None:
        fan_in = [problem.slice_fan_in(projection, part) for part in parts]
        self.per_pixel = has_shared_kernel(problem.synapse, projection.connection)
        self.per_kernel = problem.route == "kernels"
        self.has_synapse = [
            np.stack([each.axes[axis] > 0 for each in fan_in])
            for axis in range(len(fan_in[0].axes))
        ]
        self.prefix_sums = _prefix_sums(self.has_synapse)
        if self.per_pixel and self.per_kernel:
            channels = np.array([(part.start[0], part.stop[0]) for part in parts])
            block = np.unique(channels, axis=0, return_inverse=True)[1].ravel()
            self.block_prefix_sums = _prefix_sums(
                [_any_by_group(each, block) for each in self.has_synapse]
            )

    def count_messages(self, part: Slice) -> IntArray:
        """Count the neurons of the source slice `part` that send to each target slice, (parts,)."""
        if not self.prefix_sums:
            has_synapse = self.has_synapse[0]
            inside = has_synapse[(slice(None), *part.index)].reshape(len(has_synapse), -1)
            counts: IntArray = inside.sum(axis=1, dtype=np.int64)
            return counts
        product: IntArray = np.prod(_range_counts(self.prefix_sums, part), axis=0)
        return product

    def count_routes(self, part: Slice) -> int:
        """Count the routes that the neurons of the source slice `part` occupy."""
        if not self.per_pixel:
            return 0 if self.per_kernel else int(self.count_messages(part).sum())
        sums = self.block_prefix_sums if self.per_kernel else self.prefix_sums
        counts = _range_counts(sums, part)
        return int(np.prod([np.minimum(counts[0], 1), *counts[1:]], axis=0).sum())


def _prefix_sums(has_synapse: Sequence[BoolArray]) -> list[IntArray]:
    """Prefix sums along each axis, (targets, size + 1) each; none if the axes are not separable."""
    if has_synapse[0].ndim != 2:
        return []
    return [np.pad(each.cumsum(axis=1, dtype=np.int64), ((0, 0), (1, 0))) for each in has_synapse]


def _range_counts(prefix_sums: Sequence[IntArray], part: Slice) -> list[IntArray]:
    """Count the positions of `part` with a synapse along each axis, int64 (targets,) each."""
    return [
        each[:, stop] - each[:, start]
        for each, start, stop in zip(prefix_sums, part.start, part.stop, strict=True)
    ]


def _any_by_group(rows: BoolArray, group: IntArray) -> BoolArray:
    """Combine the rows of the same group number by OR, bool (groups, size)."""
    combined = np.zeros((int(group.max()) + 1, rows.shape[1]), bool)
    np.logical_or.at(combined, group, rows)
    return combined


def count_parameter_sets(population: Population, part: Slice) -> int:
    """Count the distinct combinations of decays and threshold among the neurons of `part`."""
    keys = ("current_decay", "voltage_decay", "threshold")
    arrays = np.broadcast_arrays(*(getattr(population, key) for key in keys))
    if arrays[0].ndim == 0:
        return 1
    index = tuple(
        along if size > 1 else slice(None)
        for along, size in zip(part.index, arrays[0].shape, strict=True)
    )
    sets = np.stack([array[index].ravel() for array in arrays])
    return int(np.unique(sets, axis=1).shape[1])


def slice_resources(
    problem: PlacementProblem, part: Slice, fan_out: Sequence[FanOutIndex]
) -> ResourceVector:
    """Count the resources of a core that the slice `part` occupies, int64 (resources,).

    `fan_out` indexes the outgoing projections of its population whose targets are partitioned.
    """
    population = problem.network.population(part.population)
    words = axons = 0
    for projection in problem.network.incoming(population.name):
        fan_in, connection = problem.slice_fan_in(projection, part), projection.connection
        bits = problem.synapse_bits[projection.name]
        copies = problem.messages_per_event[projection.name]
        words += copies * slice_synapse_words(problem.synapse, connection, fan_in, bits)
        axons += copies * slice_axon_count(problem.synapse, connection, fan_in)
    senders = part.neurons // (part.shape[0] if problem.routes_per_pixel(population) else 1)
    routes = sum(each.count_routes(part) for each in fan_out)
    own = [part.neurons, count_parameter_sets(population, part), words, axons, senders, routes]
    return np.array([*own, sum(own) - own[1]], np.int64)


def min_slice_resources(
    problem: PlacementProblem,
    population: Population,
    sizes: tuple[IntArray, IntArray, IntArray],
    routes: float,
) -> FloatArray:
    """Bound the resources of slices from below, given only their sizes.

    Args:
        problem: The placement problem.
        population: The population that is partitioned.
        sizes: Number of neurons, of channels and of pixels of the slices, int64 (slices,) each.
        routes: Number of routes of the entire population, divided among the slices by neurons. So
            are synapses of which each source has a list of its own length: dividing lists never
            saves a word.

    Returns:
        Lower bounds, float64 (slices, resources).
    """
    neurons, channels, pixels = sizes
    fraction = neurons / population.neurons
    words, axons = np.zeros(len(neurons)), np.zeros(len(neurons))
    for projection in problem.network.incoming(population.name):
        copies = problem.messages_per_event[projection.name]
        bits = problem.synapse_bits[projection.name]
        source = problem.network.population(projection.source)
        connection = projection.connection
        if isinstance(connection, Dense):
            words += copies * source.neurons * _min_words(problem.synapse, neurons, 1, bits)
            axons += copies * source.neurons
        elif isinstance(connection, Conv | SumPool) and has_shared_kernel(
            problem.synapse, connection
        ):
            if not all(taps.all() for taps in count_valid_kernel_taps(connection, source.shape)):
                continue  # a slice could lie in the padding and hold no synapses
            words += copies * _min_kernel_words(
                problem.synapse, connection, source.shape[0], channels, bits
            )
            axons += copies
        else:
            everything = Slice(population.name, (0,) * len(population.shape), population.shape)
            counts = problem.slice_fan_in(projection, everything).counts
            list_words = _min_words(problem.synapse, counts, counts > 0, bits)
            words += copies * list_words.sum() * fraction
    senders = pixels if problem.routes_per_pixel(population) else neurons
    own = [neurons, np.ones(len(neurons)), words, axons, senders, routes * fraction]
    return np.stack([*own, sum(own[2:], own[0])], axis=1)


def _min_kernel_words(
    synapse: Synapse,
    connection: Conv | SumPool,
    source_channels: int,
    channels: IntArray,
    bits: int,
) -> IntArray:
    """Bound the words of a shared kernel from below, for slices with these numbers of channels."""
    groups = connection.groups if isinstance(connection, Conv) else source_channels
    outputs = connection.weights.shape[0] // groups if isinstance(connection, Conv) else 1
    lists = source_channels // groups * connection.kernel[0] * connection.kernel[1]
    groups_of_slice = -(-channels // outputs)
    list_words = _min_words(synapse, channels, groups_of_slice, bits)
    words: IntArray = lists * np.maximum(list_words, groups_of_slice)
    return words


def _min_words(
    synapse: Synapse, synapses: IntArray, lists: int | IntArray | BoolArray, bits: int
) -> IntArray:
    """Bound from below the words of `synapses` synapses in at least `lists` lists."""
    head, word = synapse.list_bits.value, synapse.word_bits.value
    min_lists = np.asarray(lists, np.int64)
    if synapse.list_synapses:
        min_lists = np.maximum(min_lists, -(-synapses // synapse.list_synapses.value))
    words: IntArray = -(-(synapses * bits + head * min_lists) // word)
    return words
