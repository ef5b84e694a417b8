"""A proven lower bound on the cores that a network needs."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...runtime import Population
from .problem import (
    NO_LIMIT,
    RESOURCES,
    PlacementProblem,
    min_slice_resources,
)

MIX_STEPS = 8  # shares of two resources tried: 1/8, 2/8, ...
Weights = NDArray[np.float64]


def min_cores(job: PlacementProblem) -> int:
    """Return a number of cores below which no placement in slices exists; at least 1.

    Weigh the resources of a core so that a full one weighs 1: w >= 0 with sum(w) = 1. A slice of m
    neurons weighs at least u(m) = sum_r w_r demand_r(m) / limit_r, so a population of N neurons
    weighs at least N min_m u(m) / m however it is cut, and all of them no more than the cores. It
    holds for every w; the best of a fixed set is taken: each resource alone, and pairs. Nor can a
    core hold more of one population than one slice could: two slices never take less than one.
    """
    weighed = np.ceil(_weighted_cores(job, _weight_vectors(job)).max(initial=0) - 1e-6)
    alone = [-(-p.neurons // _max_neurons_per_core(job, p)) for p in job.network.topological_order]
    return max(1, int(weighed), *alone)


def _max_neurons_per_core(job: PlacementProblem, population: Population) -> int:
    """Return the most neurons of `population` that a core could hold."""
    return int(_feasible_slices(job, population)[0].max())


def bottleneck_resource(job: PlacementProblem) -> str:
    """Return the name of the resource that alone asks for most cores."""
    return RESOURCES[int(_weighted_cores(job, np.eye(len(RESOURCES))).argmax())]


def _weighted_cores(job: PlacementProblem, weights: Weights) -> Weights:
    """Return what all populations weigh at least under each row of `weights`, in cores."""
    total = np.zeros(len(weights))
    for population in job.network.topological_order:
        total += (_population_load(job, population) @ weights.T).min(axis=0)
    return total


def _population_load(job: PlacementProblem, population: Population) -> NDArray[np.float64]:
    """Return what slices of 1, 2, ... neurons take, as if the population were cut into such."""
    neurons, demands = _feasible_slices(job, population)
    scaled: NDArray[np.float64] = demands * (population.neurons / neurons)[:, None]
    return scaled


def _feasible_slices(
    job: PlacementProblem, population: Population
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the numbers of neurons that fit on a core, and the least they take, in cores."""
    neurons = np.arange(1, min(population.neurons, int(job.limits[0])) + 1)
    channels = population.shape[0]
    pixels = population.neurons // channels
    sizes = (neurons, -(-neurons // pixels), -(-neurons // channels))
    demands = min_slice_resources(job, population, sizes, 0) / job.limits
    possible = (demands <= 1).all(axis=1) | (neurons == 1)
    return neurons[possible], demands[possible]


def _weight_vectors(job: PlacementProblem) -> Weights:
    """Return the weighings tried, float64 (weighings, resources)."""
    limited = np.flatnonzero(job.limits < NO_LIMIT)
    one_each = np.eye(len(RESOURCES))[limited]
    mixed = [
        share / MIX_STEPS * left + (1 - share / MIX_STEPS) * right
        for left, right in combinations(one_each, 2)
        for share in range(1, MIX_STEPS)
    ]
    return np.array([*one_each, *mixed])
