"""How a population can be cut into slices that each fit on a core."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ...runtime import Conv, Population, Slice
from ...runtime.connections import SumPool
from .problem import (
    RESOURCES,
    FanOutIndex,
    PlacementProblem,
    Vector,
    min_slice_resources,
    slice_resources,
)
from .synaptic_memory import has_shared_kernel

MAX_SIZES = 64  # along one axis; beyond, only sizes that cut it into even parts are tried
Matrix = NDArray[np.int64]


@dataclass(frozen=True)
class TilingCandidates:
    """Sizes of slices that could fit, and what is known of each before it is tried.

    `sizes` are those along each axis, int64 (cuts, axes); what is left over makes smaller slices.
    `slices` counts them all. `cores` is how many they fill if as many of one size share a core as
    fit, float64; `beside` what they cost the sources, which have routes to them, in cores as well.
    """

    sizes: Matrix
    slice_counts: Matrix
    cores: NDArray[np.float64]
    route_cores: NDArray[np.float64]


def tile(population: Population, cut: Sequence[int]) -> tuple[Slice, ...]:
    """Return the slices of size `cut`, and smaller ones at the far ends, in order."""
    starts = [range(0, size, step) for size, step in zip(population.shape, cut, strict=True)]
    return tuple(
        Slice(
            population.name,
            start,
            tuple(min(s + c, n) for s, c, n in zip(start, cut, population.shape, strict=True)),
        )
        for start in product(*starts)
    )


def candidate_tilings(
    job: PlacementProblem, population: Population, onwards: Sequence[FanOutIndex]
) -> TilingCandidates:
    """Return the ways to cut `population` that least demands leave open, larger slices first."""
    whole = Slice(population.name, (0,) * len(population.shape), population.shape)
    routes = sum(each.count_routes(whole) for each in onwards)
    shape = np.array(population.shape)
    sizes = _candidate_sizes(job, population)
    takes = _min_resources(job, population, sizes, routes)
    fits = (takes <= job.limits).all(axis=1)
    sizes, takes = sizes[fits], takes[fits]
    slices, cores = np.zeros(len(sizes), np.int64), np.zeros(len(sizes))
    for ends in product((False, True), repeat=len(shape)):
        own = np.where(ends, shape % sizes, sizes)
        often = np.where(ends, shape % sizes > 0, shape // sizes).prod(axis=1)
        least = _min_resources(job, population, own, routes) if any(ends) else takes
        load = np.maximum((least / job.limits).max(axis=1), 1e-9)
        slices += often
        cores += often / np.floor(1 / load)
    return TilingCandidates(sizes, slices, cores, _incoming_route_cores(job, population, sizes))


def feasible_tilings(
    job: PlacementProblem, population: Population, onwards: Sequence[FanOutIndex]
) -> Iterator[tuple[tuple[Slice, ...], Matrix]]:
    """Yield ways to cut `population` with what each slice takes, (slices, resources).

    Those that fill few cores come first, of these those with few slices. Every slice yielded fits
    on a core of its own.
    """
    found = candidate_tilings(job, population, onwards)
    for index in np.lexsort((found.slice_counts, np.ceil(found.cores + found.route_cores - 1e-6))):
        parts = tile(population, found.sizes[index].tolist())
        demands: list[Vector] = []
        for part in parts:
            demands.append(slice_resources(job, part, onwards))
            if (demands[-1] > job.limits).any():
                break
        else:
            yield parts, np.stack(demands)


def _candidate_sizes(job: PlacementProblem, population: Population) -> Matrix:
    """Return the sizes of slices to be tried, int64 (cuts, axes), large channels first."""
    image = len(population.shape) > 1
    axes = []
    for axis, size in enumerate(population.shape):
        even = size > MAX_SIZES or (image and axis == 0)
        every = np.arange(1, size + 1)
        axes.append(np.unique(-(-size // every) if even else every)[::-1])
    grid = np.meshgrid(*axes, indexing="ij")
    sizes: Matrix = np.stack([each.ravel() for each in grid], axis=1)
    few: Matrix = sizes[sizes.prod(axis=1) <= job.limits[0]]
    return few


def _min_resources(
    job: PlacementProblem, population: Population, sizes: Matrix, routes: int
) -> NDArray[np.float64]:
    neurons, channels = sizes.prod(axis=1), sizes[:, 0]
    pixels = neurons // np.maximum(channels, 1)
    return min_slice_resources(job, population, (neurons, channels, pixels), routes)


def _incoming_route_cores(
    job: PlacementProblem, population: Population, sizes: Matrix
) -> NDArray[np.float64]:
    """Return about how many cores the routes of the sources fill, for each of `sizes`."""
    shape = np.array(population.shape)
    chunks = -(-shape // sizes)
    routes = np.zeros(len(sizes))
    for projection in job.network.incoming(population.name):
        source, connection = job.network.population(projection.source), projection.connection
        if source.kind == "input":
            continue
        if not isinstance(connection, Conv | SumPool) or not has_shared_kernel(
            job.synapse, connection
        ):
            routes += 0 if job.route == "kernels" else source.neurons * chunks.prod(axis=1)
            continue
        near = np.ones(len(sizes))
        for axis in (0, 1) if job.route == "slice" else ():
            covered = sizes[:, axis + 1] * connection.stride[axis]
            near *= (covered + connection.kernel[axis] - 1) / covered
        routes += source.neurons // source.shape[0] * chunks[:, 0] * near
    limits = job.limits[[RESOURCES.index("routes"), RESOURCES.index("entries")]]
    filled: NDArray[np.float64] = routes / limits.min()
    return filled
