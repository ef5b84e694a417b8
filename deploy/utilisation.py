"""How full cores are, by population."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..runtime import Program
from .demand import Senders, demand, job, usage
from .target import Target


@dataclass(frozen=True)
class Use:
    """One population on its cores: its slices, the `largest` of them, and what they take.

    `cores` counts those that hold some of it, `own` those that hold nothing else. `mean` and `most`
    are what one slice takes of each resource.
    """

    population: str
    neurons: int
    cores: int
    own: int
    slices: int
    largest: tuple[int, ...]
    mean: Mapping[str, float]
    most: Mapping[str, int]


def utilisation(program: Program, target: Target) -> tuple[Use, ...]:
    """Return how each population fills cores, in the order of evaluation."""
    work = job(program.network, target)
    alone = [len({part.population for part in core.slices}) == 1 for core in program.cores]
    table = []
    for population in program.network.order:
        parts = list(program.slices(population.name))
        onwards = [
            Senders(work, p, [part for _, part in program.slices(p.target)])
            for p in work.out_of(population.name)
        ]
        demands = np.stack([demand(work, part, onwards) for _, part in parts])
        cores = {core for core, _ in parts}
        table.append(
            Use(
                population.name,
                population.neurons,
                len(cores),
                sum(alone[core] for core in cores),
                len(parts),
                max((part for _, part in parts), key=lambda part: part.neurons).extent,
                {k: float(v) for k, v in zip(usage(demands[0]), demands.mean(axis=0), strict=True)},
                usage(demands.max(axis=0)),
            )
        )
    return tuple(table)
