"""A network cut into slices that are given to cores, before the cores have places."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..runtime import Population, Slice
from ..runtime.errors import PlacementError
from .demand import RESOURCES, Job, Senders, demand
from .fit import unplaceable
from .packing import packed
from .tiles import tilings

Matrix = NDArray[np.int64]
MOST_ROUNDS = 16
MOST_PASSES = 3  # through all populations
MOST_EFFORT = 60_000_000  # slices times cores, over all exchanges that are tried
# Shares of a core's neurons and of its words that slices may have, so that others fit beside them.
SHARES = (
    *((neurons, 1.0) for neurons in (0.98, 0.96, 0.93, 0.9, 0.87, 0.84, 0.8, 0.7, 0.5)),
    *((1.0, words) for words in (0.75, 0.5, 0.33, 0.25)),
)


@dataclass(frozen=True)
class Layout:
    """The slices of each population, what each takes (slices, resources), and its core (slices,).

    Cores count from 0, none is left out.
    """

    parts: Mapping[str, tuple[Slice, ...]]
    demands: Mapping[str, Matrix]
    cores: Mapping[str, Matrix]

    @property
    def count(self) -> int:
        """How many cores are in use."""
        return 1 + max(int(cores.max()) for cores in self.cores.values())


def laid_out(job: Job, bound: int) -> Layout:
    """Return `job` on few cores: greedily, then better until `bound` or nothing helps.

    Each population is cut so that it alone fills few cores, targets before sources, and all slices
    are packed; the same with slices that leave a share of a core to others. The best is taken. Then
    one population after the other is cut in each way that one of these had, which is kept where it
    saves cores or, on as many, entries. Raises `PlacementError` where a population cannot be cut to
    fit.
    """
    layouts = [_packed(job, *_cut(job))]
    for share in SHARES:
        if layouts[-1].count <= bound:
            return layouts[-1]
        with suppress(PlacementError):  # what fits a core need not fit a share of one
            layouts.append(_packed(job, *_cut(_within(job, share))))
    best, effort = min(layouts, key=_cost), 0
    for _ in range(MOST_PASSES):
        before = best
        for population in job.network.order[::-1]:
            name = population.name
            for parts in dict.fromkeys(layout.parts[name] for layout in layouts):
                if best.count <= bound or effort > MOST_EFFORT:
                    return best
                tried = _exchanged(job, best, name, parts)
                best = min(best, tried or best, key=_cost)
                effort += best.count * sum(map(len, best.parts.values()))
        if best is before:
            break
    return best


def _within(job: Job, share: tuple[float, float]) -> Job:
    """Return `job` with that share of a core's neurons and of its synaptic words."""
    limits = job.limits.copy()
    for resource, part in zip(("neurons", "synapse_words"), share, strict=True):
        index = RESOURCES.index(resource)
        limits[index] = max(1, int(limits[index] * part))
    return replace(job, limits=limits)


def _cost(layout: Layout) -> tuple[int, int]:
    """Return what is to be little: the cores, then what their tables hold."""
    return layout.count, sum(int(demands[:, -1].sum()) for demands in layout.demands.values())


def _exchanged(job: Job, layout: Layout, name: str, parts: tuple[Slice, ...]) -> Layout | None:
    """Return `layout` packed anew with one population in other `parts`.

    None where it is in these, or where slices of its sources then take more than a core has.
    """
    if parts == layout.parts[name]:
        return None
    new, demands = {**layout.parts, name: parts}, dict(layout.demands)
    sources = {projection.source for projection in job.network.into(name)}
    for population in job.network.order:
        if population.name in sources | {name}:
            demands[population.name] = _demands(job, population, new)
            if (demands[population.name] > job.limits).any():
                return None
    return _packed(job, new, demands)


def onwards(
    job: Job, population: Population, parts: Mapping[str, tuple[Slice, ...]]
) -> list[Senders]:
    """Return what `population` sends to, of all that is cut by now."""
    return [
        Senders(job, p, parts[p.target]) for p in job.out_of(population.name) if p.target in parts
    ]


def _demands(job: Job, population: Population, parts: Mapping[str, tuple[Slice, ...]]) -> Matrix:
    out = onwards(job, population, parts)
    return np.stack([demand(job, part, out) for part in parts[population.name]])


def _cut(job: Job) -> tuple[dict[str, tuple[Slice, ...]], dict[str, Matrix]]:
    """Cut each population in the first way that fits, targets before sources.

    What reaches back is not known the first time: all is looked at again until nothing changes.
    """
    parts: dict[str, tuple[Slice, ...]] = {}
    demands: dict[str, Matrix] = {}
    seen: dict[str, list[tuple[Slice, ...] | None]] = {}
    for _ in range(MOST_ROUNDS):
        changed = False
        for population in job.network.order[::-1]:
            name = population.name
            targets = [parts.get(p.target) for p in job.out_of(name)]
            if name in seen and all(a is b for a, b in zip(seen[name], targets, strict=True)):
                continue
            seen[name] = targets
            if name in parts:
                demands[name] = _demands(job, population, parts)
                if (demands[name] <= job.limits).all():
                    continue
            out = onwards(job, population, parts)
            found = next(tilings(job, population, out), None)
            if found is None:
                raise PlacementError(unplaceable(job, population, out))
            parts[name], demands[name] = found
            changed = True
        if not changed:
            return parts, demands
    raise PlacementError(f"{job.target.name}: populations that reach back cannot be cut to fit")


def _packed(
    job: Job, parts: Mapping[str, tuple[Slice, ...]], demands: Mapping[str, Matrix]
) -> Layout:
    """Return all slices packed as they are."""
    at = packed(np.concatenate(list(demands.values())), job.limits)
    ends = np.cumsum([len(each) for each in demands.values()])
    cores = dict(zip(demands, np.split(at, ends[:-1]), strict=True))
    return Layout(parts, demands, cores)
