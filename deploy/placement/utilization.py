"""Utilization of cores by population."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...runtime import Program
from .problem import RESOURCES, PlacementProblem, resources_to_dict
from .resources import FanOutIndex, slice_resources


@dataclass(frozen=True)
class PopulationUsage:
    """Cores and resources that one population occupies.

    Attributes:
        population: Name of the population.
        neurons: Number of its neurons.
        cores: Number of cores that hold some of it.
        exclusive_cores: Number of cores that hold nothing else.
        slices: Number of its slices.
        largest_slice: Shape of the largest slice.
        mean: By resource, the mean over slices.
        max: By resource, the maximum over slices.
    """

    population: str
    neurons: int
    cores: int
    exclusive_cores: int
    slices: int
    largest_slice: tuple[int, ...]
    mean: Mapping[str, float]
    max: Mapping[str, int]


def compute_utilization(problem: PlacementProblem, program: Program) -> tuple[PopulationUsage, ...]:
    """Compute the utilization of each population in `program`, in topological order."""
    populations_of_core = [{part.population for part in core.slices} for core in program.cores]
    usage = []
    for population in program.network.topological_order:
        placed = list(program.slices(population.name))
        parts = [part for _, part in placed]
        cores = {core for core, _ in placed}
        fan_out = [
            FanOutIndex(problem, p, [part for _, part in program.slices(p.target)])
            for p in problem.outgoing(population.name)
        ]
        demands = np.stack([slice_resources(problem, part, fan_out) for part in parts])
        usage.append(
            PopulationUsage(
                population.name,
                population.neurons,
                len(cores),
                sum(len(populations_of_core[core]) == 1 for core in cores),
                len(parts),
                max(parts, key=lambda part: part.neurons).shape,
                dict(zip(RESOURCES, demands.mean(axis=0).tolist(), strict=True)),
                resources_to_dict(demands.max(axis=0)),
            )
        )
    return tuple(usage)
