"""A proven lower bound of the number of cores that a network needs."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ...runtime import Population
from .problem import NO_LIMIT, RESOURCES, PlacementProblem
from .resources import min_slice_resources

MIX_STEPS = 8  # fractions of two resources tried: 1/8, 2/8, ...
SMALLEST_LIMIT = 2.0**-32  # instead of 0, of which no slice can take anything
FloatArray = NDArray[np.float64]


def min_cores(problem: PlacementProblem) -> int:
    """Compute a number of cores below which no placement in slices exists; at least 1.

    Weigh the resources of a core so that a full one weighs 1: w >= 0 with sum(w) = 1. A slice of m
    neurons weighs at least u(m) = sum_r w_r demand_r(m) / limit_r, so a population of N neurons
    weighs at least N min_m u(m) / m in any partition, and all populations together weigh no more
    than the number of cores. This holds for every w; the best of a fixed set is taken: each
    resource alone, and pairs. Nor can a core hold more of one population than one slice could: two
    slices never occupy less than one.
    """
    weighted = np.ceil(_weighted_cores(problem, _weight_vectors(problem)).max(initial=0) - 1e-6)
    by_population = [
        -(-p.neurons // _max_neurons_per_core(problem, p))
        for p in problem.network.topological_order
    ]
    return max(1, int(weighted), *by_population)


def _max_neurons_per_core(problem: PlacementProblem, population: Population) -> int:
    return int(_feasible_slices(problem, population)[0].max())


def bottleneck_resource(problem: PlacementProblem) -> str:
    """Name the resource that on its own requires the most cores."""
    return RESOURCES[int(_weighted_cores(problem, np.eye(len(RESOURCES))).argmax())]


def _weighted_cores(problem: PlacementProblem, weights: FloatArray) -> FloatArray:
    """Bound the weight of all populations from below for each row of `weights`, in cores."""
    total = np.zeros(len(weights))
    for population in problem.network.topological_order:
        total += (_population_load(problem, population) @ weights.T).min(axis=0)
    return total


def _population_load(problem: PlacementProblem, population: Population) -> FloatArray:
    """Load of the population, in cores, if it were divided into slices of 1, 2, ... neurons."""
    neurons, loads = _feasible_slices(problem, population)
    scaled: FloatArray = loads * (population.neurons / neurons)[:, None]
    return scaled


def _feasible_slices(
    problem: PlacementProblem, population: Population
) -> tuple[NDArray[np.int64], FloatArray]:
    """Numbers of neurons that fit on a core, and the minimum load of such slices, in cores."""
    neurons = np.arange(1, min(population.neurons, int(problem.limits[0])) + 1)
    channels = population.shape[0]
    pixels = population.neurons // channels
    sizes = (neurons, -(-neurons // pixels), -(-neurons // channels))
    limits = np.maximum(problem.limits, SMALLEST_LIMIT)
    loads = min_slice_resources(problem, population, sizes, 0) / limits
    feasible = (loads <= 1).all(axis=1) | (neurons == 1)
    return neurons[feasible], loads[feasible]


def _weight_vectors(problem: PlacementProblem) -> FloatArray:
    """Weight vectors that are tried, float64 (vectors, resources)."""
    limited = np.flatnonzero(problem.limits < NO_LIMIT)
    single = np.eye(len(RESOURCES))[limited]
    mixed = [
        step / MIX_STEPS * left + (1 - step / MIX_STEPS) * right
        for left, right in combinations(single, 2)
        for step in range(1, MIX_STEPS)
    ]
    return np.array([*single, *mixed])
