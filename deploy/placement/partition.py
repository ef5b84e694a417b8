"""Partition of a network into slices that are packed onto cores, before cores have positions."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...runtime import Population, Slice
from ...runtime.errors import PlacementError
from .capacity import DEFAULT_REMEDY, explain_unplaceable
from .packing import first_fit_decreasing
from .problem import RESOURCES, PlacementProblem
from .resources import FanOutIndex, slice_resources
from .tiling import feasible_tilings

IntMatrix = NDArray[np.int64]
Parts = Mapping[str, tuple[Slice, ...]]
Demands = Mapping[str, IntMatrix]
MAX_ROUNDS = 16
MAX_PASSES = 3  # through all populations
MAX_EFFORT = 60_000_000  # slices times cores, over all exchanges that are tried
# Fractions of a core's neurons and synaptic words that slices may fill, to leave room for others.
CORE_FRACTIONS = (
    *((neurons, 1.0) for neurons in (0.98, 0.96, 0.93, 0.9, 0.87, 0.84, 0.8, 0.7, 0.5)),
    *((1.0, words) for words in (0.75, 0.5, 0.33, 0.25)),
)


@dataclass(frozen=True)
class Partition:
    """Slices of each population, and the core of each slice.

    Attributes:
        parts: By population, its slices.
        demands: By population, the resources of each slice, int64 (slices, resources).
        cores: By population, the core of each slice, int64 (slices,). Cores count from 0, and every
            number is in use.
    """

    parts: Parts
    demands: Demands
    cores: Mapping[str, IntMatrix]

    @property
    def core_count(self) -> int:
        """Number of cores in use."""
        return 1 + max(int(cores.max()) for cores in self.cores.values())


def partition_network(problem: PlacementProblem, lower_bound: int) -> Partition:
    """Partition the network onto few cores: greedily, then by local search.

    Each population is divided so that it alone fills few cores, targets before sources, and all
    slices are packed; the same with slices that leave a fraction of a core to others. The best of
    these is improved: one population after the other is divided in each way that one of them had,
    which is kept if it saves cores or, on as many, table entries. The search ends at `lower_bound`
    cores, or when nothing improves.

    Raises:
        PlacementError: A population cannot be divided so that its slices fit on cores.
    """
    partitions = [_pack(problem, *_tile_populations(problem))]
    for fractions in CORE_FRACTIONS:
        if partitions[-1].core_count <= lower_bound:
            return partitions[-1]
        with suppress(PlacementError):  # what fits a core need not fit a fraction of one
            tiled = _tile_populations(_with_reduced_limits(problem, fractions))
            partitions.append(_pack(problem, *tiled))
    best, effort = min(partitions, key=_objective), 0
    for _ in range(MAX_PASSES):
        before = best
        for population in problem.network.topological_order[::-1]:
            name = population.name
            for parts in dict.fromkeys(partition.parts[name] for partition in partitions):
                if best.core_count <= lower_bound or effort > MAX_EFFORT:
                    return best
                changed = _repartition(problem, best, name, parts)
                best = min(best, changed or best, key=_objective)
                effort += best.core_count * sum(map(len, best.parts.values()))
        if best is before:
            break
    return best


def _with_reduced_limits(
    problem: PlacementProblem, fractions: tuple[float, float]
) -> PlacementProblem:
    """Limit slices to these fractions of a core's neurons and of its synaptic words."""
    limits = problem.limits.copy()
    for resource, fraction in zip(("neurons", "synapse_words"), fractions, strict=True):
        index = RESOURCES.index(resource)
        limits[index] = max(1, int(limits[index] * fraction))
    return replace(problem, limits=limits)


def _objective(partition: Partition) -> tuple[int, int]:
    """Objective to minimize: (number of cores, total table entries)."""
    entries = sum(int(demands[:, -1].sum()) for demands in partition.demands.values())
    return partition.core_count, entries


def _repartition(
    problem: PlacementProblem, partition: Partition, name: str, parts: tuple[Slice, ...]
) -> Partition | None:
    """Pack anew with the population `name` in other `parts`.

    None if it has these parts already, or if slices of its sources would then exceed a core.
    """
    if parts == partition.parts[name]:
        return None
    new_parts, demands = {**partition.parts, name: parts}, dict(partition.demands)
    sources = {projection.source for projection in problem.network.incoming(name)}
    for population in problem.network.topological_order:
        if population.name in sources | {name}:
            demands[population.name] = _population_resources(problem, population, new_parts)
            if (demands[population.name] > problem.limits).any():
                return None
    return _pack(problem, new_parts, demands)


def index_fan_out(
    problem: PlacementProblem, population: Population, parts: Parts
) -> list[FanOutIndex]:
    """Index the outgoing projections of `population` whose targets are divided into `parts`."""
    return [
        FanOutIndex(problem, p, parts[p.target])
        for p in problem.outgoing(population.name)
        if p.target in parts
    ]


def _population_resources(
    problem: PlacementProblem, population: Population, parts: Parts
) -> IntMatrix:
    fan_out = index_fan_out(problem, population, parts)
    return np.stack([slice_resources(problem, part, fan_out) for part in parts[population.name]])


def _tile_populations(
    problem: PlacementProblem,
) -> tuple[dict[str, tuple[Slice, ...]], dict[str, IntMatrix]]:
    """Divide each population by its first feasible tiling, targets before sources.

    Recurrent targets are not known in the first round: rounds repeat until nothing changes.
    """
    parts: dict[str, tuple[Slice, ...]] = {}
    demands: dict[str, IntMatrix] = {}
    seen: dict[str, list[tuple[Slice, ...] | None]] = {}
    for _ in range(MAX_ROUNDS):
        changed = False
        for population in problem.network.topological_order[::-1]:
            name = population.name
            targets = [parts.get(p.target) for p in problem.outgoing(name)]
            if name in seen and all(a is b for a, b in zip(seen[name], targets, strict=True)):
                continue
            seen[name] = targets
            if name in parts:
                demands[name] = _population_resources(problem, population, parts)
                if (demands[name] <= problem.limits).all():
                    continue
            fan_out = index_fan_out(problem, population, parts)
            tiling = next(feasible_tilings(problem, population, fan_out), None)
            if tiling is None:
                raise PlacementError(explain_unplaceable(problem, population, fan_out))
            parts[name], demands[name] = tiling
            changed = True
        if not changed:
            return parts, demands
    raise PlacementError(
        f"{problem.target.name}: no partition of its recurrent populations fits after "
        f"{MAX_ROUNDS} rounds; {DEFAULT_REMEDY}"
    )


def _pack(problem: PlacementProblem, parts: Parts, demands: Demands) -> Partition:
    """Pack all slices onto cores as they are."""
    packing = first_fit_decreasing(np.concatenate(list(demands.values())), problem.limits)
    ends = np.cumsum([len(each) for each in demands.values()])
    cores = dict(zip(demands, np.split(packing, ends[:-1]), strict=True))
    return Partition(parts, demands, cores)
