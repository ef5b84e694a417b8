"""A network cut into slices that are given to cores, before the cores have places."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...runtime import Population, Slice
from ...runtime.errors import PlacementError
from .capacity import explain_unplaceable
from .packing import first_fit_decreasing
from .problem import (
    RESOURCES,
    FanOutIndex,
    PlacementProblem,
    slice_resources,
)
from .tiling import feasible_tilings

Matrix = NDArray[np.int64]
MAX_ROUNDS = 16
MAX_PASSES = 3  # through all populations
MAX_EFFORT = 60_000_000  # slices times cores, over all exchanges that are tried
# Shares of a core's neurons and of its words that slices may have, so that others fit beside them.
CORE_FRACTIONS = (
    *((neurons, 1.0) for neurons in (0.98, 0.96, 0.93, 0.9, 0.87, 0.84, 0.8, 0.7, 0.5)),
    *((1.0, words) for words in (0.75, 0.5, 0.33, 0.25)),
)


@dataclass(frozen=True)
class Partition:
    """The slices of each population, what each takes (slices, resources), and its core (slices,).

    Cores count from 0, none is left out.
    """

    parts: Mapping[str, tuple[Slice, ...]]
    demands: Mapping[str, Matrix]
    cores: Mapping[str, Matrix]

    @property
    def core_count(self) -> int:
        """How many cores are in use."""
        return 1 + max(int(cores.max()) for cores in self.cores.values())


def partition_network(job: PlacementProblem, bound: int) -> Partition:
    """Return `job` on few cores: greedily, then better until `bound` or nothing helps.

    Each population is cut so that it alone fills few cores, targets before sources, and all slices
    are packed; the same with slices that leave a share of a core to others. The best is taken. Then
    one population after the other is cut in each way that one of these had, which is kept where it
    saves cores or, on as many, entries. Raises `PlacementError` where a population cannot be cut to
    fit.
    """
    layouts = [_pack(job, *_cut_populations(job))]
    for share in CORE_FRACTIONS:
        if layouts[-1].core_count <= bound:
            return layouts[-1]
        with suppress(PlacementError):  # what fits a core need not fit a share of one
            layouts.append(_pack(job, *_cut_populations(_with_reduced_limits(job, share))))
    best, effort = min(layouts, key=_objective), 0
    for _ in range(MAX_PASSES):
        before = best
        for population in job.network.topological_order[::-1]:
            name = population.name
            for parts in dict.fromkeys(layout.parts[name] for layout in layouts):
                if best.core_count <= bound or effort > MAX_EFFORT:
                    return best
                tried = _repartition(job, best, name, parts)
                best = min(best, tried or best, key=_objective)
                effort += best.core_count * sum(map(len, best.parts.values()))
        if best is before:
            break
    return best


def _with_reduced_limits(job: PlacementProblem, share: tuple[float, float]) -> PlacementProblem:
    """Return `job` with that share of a core's neurons and of its synaptic words."""
    limits = job.limits.copy()
    for resource, part in zip(("neurons", "synapse_words"), share, strict=True):
        index = RESOURCES.index(resource)
        limits[index] = max(1, int(limits[index] * part))
    return replace(job, limits=limits)


def _objective(layout: Partition) -> tuple[int, int]:
    """Return what is to be little: the cores, then what their tables hold."""
    return layout.core_count, sum(int(demands[:, -1].sum()) for demands in layout.demands.values())


def _repartition(
    job: PlacementProblem, layout: Partition, name: str, parts: tuple[Slice, ...]
) -> Partition | None:
    """Return `layout` packed anew with one population in other `parts`.

    None where it is in these, or where slices of its sources then take more than a core has.
    """
    if parts == layout.parts[name]:
        return None
    new, demands = {**layout.parts, name: parts}, dict(layout.demands)
    sources = {projection.source for projection in job.network.incoming(name)}
    for population in job.network.topological_order:
        if population.name in sources | {name}:
            demands[population.name] = _population_resources(job, population, new)
            if (demands[population.name] > job.limits).any():
                return None
    return _pack(job, new, demands)


def index_fan_out(
    job: PlacementProblem, population: Population, parts: Mapping[str, tuple[Slice, ...]]
) -> list[FanOutIndex]:
    """Return what `population` sends to, of all that is cut by now."""
    return [
        FanOutIndex(job, p, parts[p.target])
        for p in job.outgoing(population.name)
        if p.target in parts
    ]


def _population_resources(
    job: PlacementProblem, population: Population, parts: Mapping[str, tuple[Slice, ...]]
) -> Matrix:
    out = index_fan_out(job, population, parts)
    return np.stack([slice_resources(job, part, out) for part in parts[population.name]])


def _cut_populations(
    job: PlacementProblem,
) -> tuple[dict[str, tuple[Slice, ...]], dict[str, Matrix]]:
    """Cut each population in the first way that fits, targets before sources.

    What reaches back is not known the first time: all is looked at again until nothing changes.
    """
    parts: dict[str, tuple[Slice, ...]] = {}
    demands: dict[str, Matrix] = {}
    seen: dict[str, list[tuple[Slice, ...] | None]] = {}
    for _ in range(MAX_ROUNDS):
        changed = False
        for population in job.network.topological_order[::-1]:
            name = population.name
            targets = [parts.get(p.target) for p in job.outgoing(name)]
            if name in seen and all(a is b for a, b in zip(seen[name], targets, strict=True)):
                continue
            seen[name] = targets
            if name in parts:
                demands[name] = _population_resources(job, population, parts)
                if (demands[name] <= job.limits).all():
                    continue
            out = index_fan_out(job, population, parts)
            found = next(feasible_tilings(job, population, out), None)
            if found is None:
                raise PlacementError(explain_unplaceable(job, population, out))
            parts[name], demands[name] = found
            changed = True
        if not changed:
            return parts, demands
    raise PlacementError(f"{job.target.name}: populations that reach back cannot be cut to fit")


def _pack(
    job: PlacementProblem, parts: Mapping[str, tuple[Slice, ...]], demands: Mapping[str, Matrix]
) -> Partition:
    """Return all slices packed as they are."""
    at = first_fit_decreasing(np.concatenate(list(demands.values())), job.limits)
    ends = np.cumsum([len(each) for each in demands.values()])
    cores = dict(zip(demands, np.split(at, ends[:-1]), strict=True))
    return Partition(parts, demands, cores)
