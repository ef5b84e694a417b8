"""How full cores are, by population."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...runtime import Program
from ..targets.target import Target
from .problem import (
    FanOutIndex,
    make_problem,
    resources_to_dict,
    slice_resources,
)


@dataclass(frozen=True)
class PopulationUsage:
    """One population on its cores: its slices, the `largest` of them, and what they take.

    `cores` counts those that hold some of it, `own` those that hold nothing else. `mean` and `most`
    are what one slice takes of each resource.
    """

    population: str
    neurons: int
    cores: int
    exclusive_cores: int
    slices: int
    largest_slice: tuple[int, ...]
    mean: Mapping[str, float]
    max: Mapping[str, int]


def compute_utilization(program: Program, target: Target) -> tuple[PopulationUsage, ...]:
    """Return how each population fills cores, in the order of evaluation."""
    work = make_problem(program.network, target)
    alone = [len({part.population for part in core.slices}) == 1 for core in program.cores]
    table = []
    for population in program.network.topological_order:
        parts = list(program.slices(population.name))
        onwards = [
            FanOutIndex(work, p, [part for _, part in program.slices(p.target)])
            for p in work.outgoing(population.name)
        ]
        demands = np.stack([slice_resources(work, part, onwards) for _, part in parts])
        cores = {core for core, _ in parts}
        table.append(
            PopulationUsage(
                population.name,
                population.neurons,
                len(cores),
                sum(alone[core] for core in cores),
                len(parts),
                max((part for _, part in parts), key=lambda part: part.neurons).shape,
                {
                    k: float(v)
                    for k, v in zip(
                        resources_to_dict(demands[0]), demands.mean(axis=0), strict=True
                    )
                },
                resources_to_dict(demands.max(axis=0)),
            )
        )
    return tuple(table)
