"""What slices of a network take of each limit of a core."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import (
    Conv,
    Dense,
    Network,
    Population,
    Projection,
    Slice,
)
from ...runtime.connections import SumPool
from ...runtime.errors import PlacementError
from ..passes.schedule import schedule
from ..targets.target import (
    Chip,
    Core,
    Neuron,
    Synapse,
    Target,
)
from .slice_fan_in import SliceFanIn, compute_slice_fan_in, count_valid_kernel_taps
from .synaptic_memory import (
    has_shared_kernel,
    slice_axon_count,
    slice_synapse_words,
    synapse_bits,
)

RESOURCES = (
    "neurons",
    "groups",
    "synapse_words",
    "axons_in",
    "axons_out",
    "routes",
    "entries",
)
NO_LIMIT = 1 << 60
Vector = NDArray[np.int64]  # (resources,)


@dataclass(frozen=True)
class PlacementProblem:
    """A network to be placed on a target, and what follows from the two.

    `lags` are the steps each projection's messages travel, `bits` those of each of its synapses,
    `copies` how many messages carry one of its values. `limits` are a core's, int64 (resources,),
    `route` what a route leads to.
    """

    network: Network
    target: Target
    chip: Chip
    neuron: Neuron
    synapse: Synapse
    lags: Mapping[str, int]
    synapse_bits: Mapping[str, int]
    messages_per_event: Mapping[str, int]
    limits: Vector
    route: str

    def outgoing(self, name: str) -> tuple[Projection, ...]:
        """The projections whose source is `name`."""
        return tuple(p for p in self.network.projections if p.source == name)

    def slice_fan_in(self, projection: Projection, part: Slice) -> SliceFanIn:
        """Return how `projection` reaches the slice `part` of its target."""
        network = self.network
        source, target = (network.population(n) for n in (projection.source, projection.target))
        return compute_slice_fan_in(projection.connection, source.shape, target.shape, part)

    def routes_per_pixel(self, population: Population) -> bool:
        """Whether all channels of a pixel are told apart by what they say alone, not whereto."""
        out = self.outgoing(population.name)
        return bool(out) and all(has_shared_kernel(self.synapse, p.connection) for p in out)


def make_problem(network: Network, target: Target) -> PlacementProblem:
    """Return what is to be placed; raises `PlacementError` where `target` has no cores."""
    if not (target.chip and target.core and target.neuron and target.synapse):
        raise PlacementError(f"{target.name}: prices arithmetic and has no cores to place on")
    lags = schedule(network).lags
    synapse, message = target.synapse, target.neuron.message_bits.value
    return PlacementProblem(
        network,
        target,
        target.chip,
        target.neuron,
        synapse,
        lags,
        {p.name: synapse_bits(synapse, p, lags[p.name]) for p in network.projections},
        {
            p.name: -(-network.population(p.source).value_bits // max(message, 1))
            for p in network.projections
        },
        _core_limits(target.core, synapse),
        target.core.route.value,
    )


def _core_limits(core: Core, synapse: Synapse) -> Vector:
    given = {key: getattr(core, key, None) for key in RESOURCES}
    limits = {key: limit.value if limit else NO_LIMIT for key, limit in given.items()}
    limits["synapse_words"] = core.synaptic_memory.value // synapse.word_bits.value
    return np.array([limits[key] for key in RESOURCES], np.int64)


def count_parameter_sets(population: Population, part: Slice) -> int:
    """Return how many different sets of decays and threshold the neurons of `part` have."""
    keys = ("current_decay", "voltage_decay", "threshold")
    arrays = np.broadcast_arrays(*(getattr(population, key) for key in keys))
    if arrays[0].ndim == 0:
        return 1
    at = tuple(
        place if size > 1 else slice(None)
        for place, size in zip(part.index, arrays[0].shape, strict=True)
    )
    sets = np.stack([array[at].ravel() for array in arrays])
    return int(np.unique(sets, axis=1).shape[1])


class FanOutIndex:
    """Counts which senders of one projection's source reach `parts` of its target.

    Kept as sums up to each place along each axis, so that a slice of the source is two look-ups.
    """

    def __init__(
        self, job: PlacementProblem, projection: Projection, parts: Sequence[Slice]
    ) -> None:
        reaches = [job.slice_fan_in(projection, part) for part in parts]
        self.per_pixel = has_shared_kernel(job.synapse, projection.connection)
        self.per_kernel = job.route == "kernels"
        there = [
            np.stack([each.axes[axis] > 0 for each in reaches])
            for axis in range(len(reaches[0].axes))
        ]
        self.has_synapse = there
        self.prefix_sums = _prefix_sums(there)
        if self.per_pixel and self.per_kernel:
            blocks = np.array([(part.start[0], part.stop[0]) for part in parts])
            at = np.unique(blocks, axis=0, return_inverse=True)[1].ravel()
            self.block_prefix_sums = _prefix_sums([_any_by_group(each, at) for each in there])

    def count_messages(self, part: Slice) -> Vector:
        """Return how many neurons of `part` send to each target slice, int64 (parts,)."""
        if not self.prefix_sums:
            inside = self.has_synapse[0][(slice(None), *part.index)].reshape(
                len(self.has_synapse[0]), -1
            )
            found: Vector = inside.sum(axis=1, dtype=np.int64)
            return found
        product: Vector = np.prod(_range_counts(self.prefix_sums, part), axis=0)
        return product

    def count_routes(self, part: Slice) -> int:
        """Return how many routes the neurons of `part` take."""
        if not self.per_pixel:
            return 0 if self.per_kernel else int(self.count_messages(part).sum())
        counts = _range_counts(
            self.block_prefix_sums if self.per_kernel else self.prefix_sums, part
        )
        return int(np.prod([np.minimum(counts[0], 1), *counts[1:]], axis=0).sum())


def _prefix_sums(there: Sequence[NDArray[np.bool_]]) -> list[Vector]:
    """Return sums up to each place, one array an axis; none where the axes are not apart."""
    if there[0].ndim != 2:
        return []
    return [np.pad(each.cumsum(axis=1, dtype=np.int64), ((0, 0), (1, 0))) for each in there]


def _range_counts(sums: Sequence[Vector], part: Slice) -> list[Vector]:
    """Return how many places of `part` are reached along each axis, int64 (targets,) each."""
    return [
        each[:, stop] - each[:, start]
        for each, start, stop in zip(sums, part.start, part.stop, strict=True)
    ]


def _any_by_group(there: NDArray[np.bool_], at: Vector) -> NDArray[np.bool_]:
    """Return what any of the rows with the same number `at` reaches."""
    found = np.zeros((int(at.max()) + 1, there.shape[1]), bool)
    np.logical_or.at(found, at, there)
    return found


def slice_resources(job: PlacementProblem, part: Slice, onwards: Sequence[FanOutIndex]) -> Vector:
    """Return what `part` takes of each resource, int64 (resources,).

    `onwards` are the senders of the projections out of its population that are known by now.
    """
    population = job.network.population(part.population)
    words = axons = 0
    for projection in job.network.incoming(population.name):
        met, connection = job.slice_fan_in(projection, part), projection.connection
        copies = job.messages_per_event[projection.name]
        words += copies * slice_synapse_words(
            job.synapse, connection, met, job.synapse_bits[projection.name]
        )
        axons += copies * slice_axon_count(job.synapse, connection, met)
    by_pixel = job.routes_per_pixel(population)
    senders = part.neurons // (part.shape[0] if by_pixel else 1)
    routes = sum(each.count_routes(part) for each in onwards)
    own = [part.neurons, count_parameter_sets(population, part), words, axons, senders, routes]
    return np.array([*own, sum(own) - own[1]], np.int64)


def min_slice_resources(
    job: PlacementProblem,
    population: Population,
    sizes: tuple[Vector, Vector, Vector],
    routes: float,
) -> NDArray[np.float64]:
    """Return what slices take of each resource at least, float64 (slices, resources).

    `sizes` are how many neurons, channels and pixels the slices have, int64 (slices,) each.
    `routes` is what the whole population takes, shared out by neurons, as are the synapses of
    which each source has a list of its own length: cutting lists never saves a word.
    """
    neurons, channels, pixels = sizes
    share = neurons / population.neurons
    words, axons = np.zeros(len(neurons)), np.zeros(len(neurons))
    for projection in job.network.incoming(population.name):
        copies, bits = job.messages_per_event[projection.name], job.synapse_bits[projection.name]
        source = job.network.population(projection.source)
        connection = projection.connection
        if isinstance(connection, Dense):
            words += copies * source.neurons * _min_words(job.synapse, neurons, 1, bits)
            axons += copies * source.neurons
        elif isinstance(connection, Conv | SumPool) and has_shared_kernel(job.synapse, connection):
            if not all(along.all() for along in count_valid_kernel_taps(connection, source.shape)):
                continue  # a slice could lie in the padding and hold no synapses
            words += copies * _min_kernel_words(job, connection, source.shape[0], channels, bits)
            axons += copies
        else:
            whole = Slice(population.name, (0,) * len(population.shape), population.shape)
            counts = job.slice_fan_in(projection, whole).counts
            words += copies * _min_words(job.synapse, counts, counts > 0, bits).sum() * share
    senders = pixels if job.routes_per_pixel(population) else neurons
    own = [neurons, np.ones(len(neurons)), words, axons, senders, routes * share]
    return np.stack([*own, sum(own[2:], own[0])], axis=1)


def _min_kernel_words(
    job: PlacementProblem, connection: Conv | SumPool, sources: int, channels: Vector, bits: int
) -> Vector:
    """Return the least words of a shared kernel for slices of so many `channels`."""
    count = connection.groups if isinstance(connection, Conv) else sources
    outputs = connection.weights.shape[0] // count if isinstance(connection, Conv) else 1
    lists = sources // count * connection.kernel[0] * connection.kernel[1]
    least = _min_words(job.synapse, channels, -(-channels // outputs), bits)
    words: Vector = lists * np.maximum(least, -(-channels // outputs))
    return words


def _min_words(synapse: Synapse, synapses: Vector, lists: Any, bits: int) -> Vector:
    """Return the least words of so many `synapses` in at least so many `lists`."""
    head, word = synapse.list_bits.value, synapse.word_bits.value
    if synapse.list_synapses:
        lists = np.maximum(lists, -(-synapses // synapse.list_synapses.value))
    words: Vector = -(-(synapses * bits + head * lists) // word)
    return words


def resources_to_dict(vector: Vector) -> dict[str, int]:
    """Return a vector over resources as a mapping by name."""
    return dict(zip(RESOURCES, vector.tolist(), strict=True))
