"""Capacity checks: errors that name the limit, the excess and a remedy."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...runtime import Conv, Dense, Population, Projection, Slice, Sparse
from ...runtime.errors import PlacementError
from ...runtime.op_counts import fan_out
from .lower_bound import bottleneck_resource
from .problem import RESOURCES, PlacementProblem, ResourceVector
from .resources import FanOutIndex, slice_resources
from .slice_fan_in import count_valid_kernel_taps
from .synaptic_memory import stored_weight_bits

STATE_BITS = 24
DEFAULT_REMEDY = "use fewer channels, a lower resolution or weights of fewer bits"
REMEDIES = {
    "synapse_words": "use fewer inputs, a smaller kernel or weights of fewer bits",
    "axons_in": "use fewer inputs: fewer channels, a lower resolution or pooling before it",
    "axons_out": "use fewer targets",
    "routes": "use fewer or smaller targets, which then occupy fewer cores",
    "groups": "use one threshold and decay for all its neurons",
}


def check_capacity(problem: PlacementProblem) -> None:
    """Check that every single neuron, synapse and message is within the limits of the target.

    Raises:
        PlacementError: One is not.
    """
    target, bits = problem.target, problem.neuron.state_bits.value
    if bits < STATE_BITS:
        raise PlacementError(
            f"{target.name}: a neuron's state has {bits} bits, but the arithmetic needs "
            f"{STATE_BITS}: {STATE_BITS - bits} too few; choose another target"
        )
    for projection in problem.network.projections:
        _check_projection(problem, projection)
    for population in problem.network.populations:
        _check_fan(problem, population)
    for population in problem.network.topological_order:
        _check_largest_neuron(problem, population)


def check_core_count(problem: PlacementProblem, cores: int, qualifier: str = "") -> None:
    """Check that the target has at least `cores` cores on all its chips.

    Args:
        problem: The placement problem.
        cores: Number of cores needed.
        qualifier: Words for the message before that number, such as "at least ".

    Raises:
        PlacementError: It has fewer.
    """
    name = problem.target.name
    chips, per_chip = problem.chip.chips.value, problem.chip.cores.value
    available = chips * per_chip
    if cores <= available:
        return
    neurons = sum(p.neurons for p in problem.network.topological_order)
    capacity = available * int(problem.limits[0])
    if neurons > capacity:
        raise PlacementError(
            f"network: {neurons} neurons, but the {available} cores of {name} hold {capacity}: "
            f"{neurons - capacity} too many; use fewer channels or a lower resolution"
        )
    raise PlacementError(
        f"network: needs {qualifier}{cores} cores, but {name} has {available} ({chips} chips of "
        f"{per_chip}): {cores - available} too many, limited by {bottleneck_resource(problem)}; "
        f"{DEFAULT_REMEDY}"
    )


def explain_unplaceable(
    problem: PlacementProblem, population: Population, fan_out: Sequence[FanOutIndex]
) -> str:
    """Describe a neuron of `population` that exceeds a core, given the projections it sends to."""
    name = problem.target.name
    for index in np.ndindex(population.shape):
        part = Slice(population.name, index, tuple(place + 1 for place in index))
        resources = slice_resources(problem, part, fan_out)
        for resource, need, limit in _exceeded_limits(problem, resources):
            return (
                f"{population.name}: no partition of its {population.neurons} neurons fits the "
                f"cores of {name} and reaches all targets: a neuron needs {need} {resource}, but a "
                f"core has {limit}: {need - limit} too many; "
                f"{REMEDIES.get(resource, DEFAULT_REMEDY)}"
            )
    raise AssertionError(f"{population.name}: each neuron fits on a core of its own")


def _exceeded_limits(
    problem: PlacementProblem, resources: ResourceVector
) -> list[tuple[str, int, int]]:
    """List the resources that exceed a core, with need and limit."""
    rows = zip(RESOURCES, resources.tolist(), problem.limits.tolist(), strict=True)
    return [(resource, need, limit) for resource, need, limit in rows if need > limit]


def fan_in(projection: Projection, source: Population, target: Population) -> NDArray[np.int64]:
    """Count the synapses of `projection` on each target neuron, int64 (*target shape)."""
    connection = projection.connection
    if isinstance(connection, Dense):
        return np.full(target.shape, source.neurons, np.int64)
    if isinstance(connection, Sparse):
        counts = np.bincount(connection.rows, minlength=target.neurons)
        return counts.reshape(target.shape).astype(np.int64)
    rows, columns = count_valid_kernel_taps(connection, source.shape)
    channels = connection.weights.shape[1] if isinstance(connection, Conv) else 1
    return np.broadcast_to(channels * rows[:, None] * columns, target.shape).astype(np.int64)


def _check_projection(problem: PlacementProblem, projection: Projection) -> None:
    name = problem.target.name
    bits, max_bits = stored_weight_bits(projection.connection), problem.synapse.weight_bits.value
    if bits > max_bits:
        raise PlacementError(
            f"{projection.name}: weights of {bits} bits, but {name} stores {max_bits}: "
            f"{bits - max_bits} too many; quantize them to {max_bits} bits"
        )
    delay, max_delay = problem.lags[projection.name] - 1, problem.synapse.delay.value
    if delay > max_delay:
        raise PlacementError(
            f"{projection.name}: its messages wait {delay} steps, but {name} delays by at most "
            f"{max_delay}: {delay - max_delay} too many; insert relay populations "
            "(pumice.deploy.passes.relays)"
        )


def _total_fan_in(problem: PlacementProblem, population: Population) -> NDArray[np.int64]:
    total = np.zeros(population.shape, np.int64)
    for projection in problem.network.incoming(population.name):
        total += fan_in(projection, problem.network.population(projection.source), population)
    return total


def _check_fan(problem: PlacementProblem, population: Population) -> None:
    total_fan_out = np.zeros(population.shape, np.int64)
    for projection in problem.outgoing(population.name):
        total_fan_out += fan_out(projection.connection, population.shape)
    for what, limit, counts, others in (
        ("fan-in", problem.neuron.fan_in, _total_fan_in(problem, population), "inputs"),
        ("fan-out", problem.neuron.fan_out, total_fan_out, "targets"),
    ):
        if limit and counts.max() > limit.value:
            count = int(counts.max())
            raise PlacementError(
                f"{population.name}: a {what} of {count} synapses, but {problem.target.name} has "
                f"{limit.value}: {count - limit.value} too many; use fewer {others} or a smaller "
                "kernel"
            )


def _check_largest_neuron(problem: PlacementProblem, population: Population) -> None:
    """Check that the neuron with the most synapses fits on a core of its own."""
    counts = _total_fan_in(problem, population)
    index = tuple(int(place) for place in np.unravel_index(int(counts.argmax()), counts.shape))
    part = Slice(population.name, index, tuple(place + 1 for place in index))
    for resource, need, limit in _exceeded_limits(problem, slice_resources(problem, part, ())):
        raise PlacementError(
            f"{population.name}: one neuron needs {need} {resource}, but a core of "
            f"{problem.target.name} has {limit}: {need - limit} too many; "
            f"{REMEDIES.get(resource, DEFAULT_REMEDY)}"
        )
