"""Tilings of a population: partitions into slices that each fit on a core."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...runtime import Conv, Population, Slice
from ...runtime.connections import SumPool
from .problem import RESOURCES, PlacementProblem, ResourceVector
from .resources import FanOutIndex, min_slice_resources, slice_resources
from .synaptic_memory import has_shared_kernel

MAX_SIZES = 64  # along one axis; beyond, only sizes that divide it into even parts are tried
IntMatrix = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TilingCandidates:
    """Slice sizes that could fit, with estimates made before any of them is tried.

    Attributes:
        sizes: Slice size along each axis, int64 (candidates, axes); the slices at the far ends hold
            the remainder and are smaller.
        slice_counts: Number of slices, int64 (candidates,).
        cores: Number of cores filled if as many slices of one size share a core as fit, float64.
        route_cores: Load of the routes to the slices on the cores of their sources, in cores.
    """

    sizes: IntMatrix
    slice_counts: IntMatrix
    cores: FloatArray
    route_cores: FloatArray


def tile(population: Population, size: Sequence[int]) -> tuple[Slice, ...]:
    """Divide `population` into slices of `size`, and smaller ones at the far ends, in order."""
    starts = [range(0, end, step) for end, step in zip(population.shape, size, strict=True)]
    return tuple(
        Slice(
            population.name,
            start,
            tuple(min(s + c, n) for s, c, n in zip(start, size, population.shape, strict=True)),
        )
        for start in product(*starts)
    )


def candidate_tilings(
    problem: PlacementProblem, population: Population, fan_out: Sequence[FanOutIndex]
) -> TilingCandidates:
    """List the tilings that the lower bounds of resources admit, larger slices first."""
    everything = Slice(population.name, (0,) * len(population.shape), population.shape)
    routes = sum(each.count_routes(everything) for each in fan_out)
    shape = np.array(population.shape)
    sizes = _candidate_sizes(problem, population)
    resources = _min_resources(problem, population, sizes, routes)
    fits = (resources <= problem.limits).all(axis=1)
    sizes, resources = sizes[fits], resources[fits]
    slice_counts, cores = np.zeros(len(sizes), np.int64), np.zeros(len(sizes))
    for at_end in product((False, True), repeat=len(shape)):
        own_sizes = np.where(at_end, shape % sizes, sizes)
        count = np.where(at_end, shape % sizes > 0, shape // sizes).prod(axis=1)
        is_full = not any(at_end)
        own = resources if is_full else _min_resources(problem, population, own_sizes, routes)
        load = np.maximum((own / problem.limits).max(axis=1), 1e-9)
        slice_counts += count
        cores += count / np.floor(1 / load)
    route_cores = _incoming_route_cores(problem, population, sizes)
    return TilingCandidates(sizes, slice_counts, cores, route_cores)


def feasible_tilings(
    problem: PlacementProblem, population: Population, fan_out: Sequence[FanOutIndex]
) -> Iterator[tuple[tuple[Slice, ...], IntMatrix]]:
    """Yield tilings of `population` with the resources of each slice, (slices, resources).

    Ordered by the estimated number of cores, then by the number of slices. Every slice yielded fits
    on a core of its own.
    """
    candidates = candidate_tilings(problem, population, fan_out)
    cores = np.ceil(candidates.cores + candidates.route_cores - 1e-6)
    for index in np.lexsort((candidates.slice_counts, cores)):
        parts = tile(population, candidates.sizes[index].tolist())
        demands: list[ResourceVector] = []
        for part in parts:
            demands.append(slice_resources(problem, part, fan_out))
            if (demands[-1] > problem.limits).any():
                break
        else:
            yield parts, np.stack(demands)


def _candidate_sizes(problem: PlacementProblem, population: Population) -> IntMatrix:
    """List the slice sizes to try, int64 (candidates, axes), large channels first."""
    image = len(population.shape) > 1
    axes = []
    for axis, size in enumerate(population.shape):
        even = size > MAX_SIZES or (image and axis == 0)
        every = np.arange(1, size + 1)
        axes.append(np.unique(-(-size // every) if even else every)[::-1])
    grid = np.meshgrid(*axes, indexing="ij")
    sizes: IntMatrix = np.stack([each.ravel() for each in grid], axis=1)
    within: IntMatrix = sizes[sizes.prod(axis=1) <= problem.limits[0]]
    return within


def _min_resources(
    problem: PlacementProblem, population: Population, sizes: IntMatrix, routes: int
) -> FloatArray:
    neurons, channels = sizes.prod(axis=1), sizes[:, 0]
    pixels = neurons // np.maximum(channels, 1)
    return min_slice_resources(problem, population, (neurons, channels, pixels), routes)


def _incoming_route_cores(
    problem: PlacementProblem, population: Population, sizes: IntMatrix
) -> FloatArray:
    """Estimate the load of the sources' routes to slices of each of `sizes`, in cores."""
    tiles = -(-np.array(population.shape) // sizes)
    routes = np.zeros(len(sizes))
    for projection in problem.network.incoming(population.name):
        source, connection = problem.network.population(projection.source), projection.connection
        if source.kind == "input":
            continue
        if not isinstance(connection, Conv | SumPool) or not has_shared_kernel(
            problem.synapse, connection
        ):
            routes += 0 if problem.route == "kernels" else source.neurons * tiles.prod(axis=1)
            continue
        overlap = np.ones(len(sizes))
        for axis in (0, 1) if problem.route == "slice" else ():
            covered = sizes[:, axis + 1] * connection.stride[axis]
            overlap *= (covered + connection.kernel[axis] - 1) / covered
        routes += source.neurons // source.shape[0] * tiles[:, 0] * overlap
    limits = problem.limits[[RESOURCES.index("routes"), RESOURCES.index("entries")]]
    load: FloatArray = routes / limits.min()
    return load
