"""What a target cannot hold, told with the limit, by how much it is passed, and what helps."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...runtime import (
    Conv,
    Dense,
    Population,
    Projection,
    Slice,
    Sparse,
)
from ...runtime.errors import PlacementError
from ...runtime.op_counts import fan_out
from .lower_bound import bottleneck_resource
from .problem import (
    RESOURCES,
    FanOutIndex,
    PlacementProblem,
    Vector,
    slice_resources,
)
from .slice_fan_in import count_valid_kernel_taps
from .synaptic_memory import weight_bits

STATE_BITS = 24
DEFAULT_REMEDY = "fewer channels, a lower resolution or weights of fewer bits would help"
REMEDIES = {
    "synapse_words": "fewer inputs, a smaller kernel or weights of fewer bits would help",
    "axons_in": "fewer inputs would help: fewer channels, a lower resolution or pooling before it",
    "axons_out": "fewer targets would help",
    "routes": "fewer or smaller targets would help, which then stand on fewer cores",
    "groups": "one threshold and decay for all its neurons would help",
}


def check_capacity(job: PlacementProblem) -> None:
    """Raise `PlacementError` where one neuron, synapse or message is more than the target holds."""
    held = job.neuron.state_bits.value
    if held < STATE_BITS:
        raise PlacementError(
            f"{job.target.name}: a neuron's state has {held} bits, but the arithmetic needs "
            f"{STATE_BITS}: {STATE_BITS - held} too few; no network helps"
        )
    for projection in job.network.projections:
        _check_projection(job, projection)
    for population in job.network.populations:
        _check_fan(job, population)
    for population in job.network.topological_order:
        _check_largest_neuron(job, population)


def check_core_count(job: PlacementProblem, cores: int, least: str) -> None:
    """Raise `PlacementError` where the target has less than `cores` cores on all its chips."""
    chips, each = job.chip.chips.value, job.chip.cores.value
    room = chips * each
    if cores <= room:
        return
    has = f"{job.target.name} has {room} ({chips} chips of {each})"
    neurons = sum(p.neurons for p in job.network.topological_order)
    hold = room * int(job.limits[0])
    if neurons > hold:
        raise PlacementError(
            f"network: {neurons} neurons, but the {room} cores of {job.target.name} hold {hold}: "
            f"{neurons - hold} too many; fewer channels or a lower resolution would help"
        )
    raise PlacementError(
        f"network: needs {least}{cores} cores, {has}: {cores - room} too many, most of all for "
        f"{bottleneck_resource(job)}; {DEFAULT_REMEDY}"
    )


def explain_unplaceable(
    job: PlacementProblem, population: Population, onwards: Sequence[FanOutIndex]
) -> str:
    """Say which neuron of `population` no core holds, given what it sends to."""
    for at in np.ndindex(population.shape):
        part = Slice(population.name, at, tuple(place + 1 for place in at))
        for resource, need, limit in _exceeded_limits(job, slice_resources(job, part, onwards)):
            return (
                f"{population.name}: no cut of its {population.neurons} neurons fits the cores of "
                f"{job.target.name} and reaches all its targets: a neuron takes {need} {resource}, "
                f"a core has {limit}: {need - limit} too many; {REMEDIES.get(resource, DEFAULT_REMEDY)}"
            )
    raise AssertionError(f"{population.name}: each neuron fits on a core of its own")


def _exceeded_limits(job: PlacementProblem, needs: Vector) -> list[tuple[str, int, int]]:
    """Return which limits are passed, with the need and the limit."""
    every = zip(RESOURCES, needs.tolist(), job.limits.tolist(), strict=True)
    return [(resource, need, limit) for resource, need, limit in every if need > limit]


def fan_in(projection: Projection, source: Population, target: Population) -> NDArray[np.int64]:
    """Return how many synapses of `projection` each target neuron has, int64 (*target)."""
    connection = projection.connection
    if isinstance(connection, Dense):
        return np.full(target.shape, source.neurons, np.int64)
    if isinstance(connection, Sparse):
        listed = np.bincount(connection.rows, minlength=target.neurons)
        return listed.reshape(target.shape).astype(np.int64)
    rows, columns = count_valid_kernel_taps(connection, source.shape)
    channels = connection.weights.shape[1] if isinstance(connection, Conv) else 1
    seen = channels * rows[:, None] * columns
    return np.broadcast_to(seen, target.shape).astype(np.int64)


def _check_projection(job: PlacementProblem, projection: Projection) -> None:
    bits, held = weight_bits(projection.connection), job.synapse.weight_bits.value
    if bits > held:
        raise PlacementError(
            f"{projection.name}: weights of {bits} bits, but {job.target.name} holds {held}: "
            f"{bits - held} too many; round them to {held} bits"
        )
    waits, longest = job.lags[projection.name] - 1, job.synapse.delay.value
    if waits > longest:
        raise PlacementError(
            f"{projection.name}: its messages wait {waits} steps, but {job.target.name} delays by "
            f"at most {longest}: {waits - longest} too many; relay them in a population between"
        )


def _check_fan(job: PlacementProblem, population: Population) -> None:
    into = np.zeros(population.shape, np.int64)
    out = np.zeros(population.shape, np.int64)
    for projection in job.network.incoming(population.name):
        into += fan_in(projection, job.network.population(projection.source), population)
    for projection in job.outgoing(population.name):
        out += fan_out(projection.connection, population.shape)
    for what, limit, counts, helps in (
        ("fan_in", job.neuron.fan_in, into, "fewer inputs or a smaller kernel would help"),
        ("fan_out", job.neuron.fan_out, out, "fewer targets or a smaller kernel would help"),
    ):
        if limit and counts.max() > limit.value:
            most = int(counts.max())
            raise PlacementError(
                f"{population.name}: a {what} of {most} synapses, but {job.target.name} has "
                f"{limit.value}: {most - limit.value} too many; {helps}"
            )


def _check_largest_neuron(job: PlacementProblem, population: Population) -> None:
    """Raise `PlacementError` where the neuron with most synapses does not fit on a core alone."""
    into = np.zeros(population.shape, np.int64)
    for projection in job.network.incoming(population.name):
        into += fan_in(projection, job.network.population(projection.source), population)
    at = tuple(int(place) for place in np.unravel_index(int(into.argmax()), into.shape))
    part = Slice(population.name, at, tuple(place + 1 for place in at))
    for resource, need, limit in _exceeded_limits(job, slice_resources(job, part, ())):
        raise PlacementError(
            f"{population.name}: one neuron takes {need} {resource}, but a core of "
            f"{job.target.name} has {limit}: {need - limit} too many; "
            f"{REMEDIES.get(resource, DEFAULT_REMEDY)}"
        )
