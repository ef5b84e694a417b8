"""Placement: from a network and a target to a program, few cores first, little traffic second."""

import numpy as np
from numpy.typing import NDArray

from ..runtime import Core, Network, Program, Slice
from .bound import least_cores
from .demand import NO_LIMIT, Job, Senders, job, usage
from .fit import check_fits, check_room
from .layout import Layout, laid_out
from .mesh import arranged, places
from .target import Target


def place(network: Network, target: Target) -> Program:
    """Return `network` on the cores of `target`: the same for the same two, on every machine.

    Few cores come first (`laid_out`), then cores change places to shorten the way of messages
    (`arranged`). Raises `PlacementError`, which says which limit is passed and by how much, where
    a neuron fits on no core or all need more cores than there are, and `EngineError` where a cycle
    is too short for a chip.
    """
    work = job(network, target)
    check_fits(work)
    bound = least_cores(work)
    check_room(work, bound, "at least ")
    layout = laid_out(work, bound)
    check_room(work, layout.count, "")
    return programmed(work, layout)


def programmed(work: Job, layout: Layout) -> Program:
    """Return the program in which the cores of `layout` have places on the target's chips."""
    return _program(work, _sorted(work, layout))


def _sorted(work: Job, layout: Layout) -> Layout:
    """Return `layout` with its cores in the order of what they hold, so that neighbours talk."""
    first = np.full(layout.count, np.iinfo(np.int64).max)
    count = 0
    for population in work.network.order:
        cores = layout.cores[population.name]
        np.minimum.at(first, cores, count + np.arange(len(cores)))
        count += len(cores)
    number = np.argsort(np.argsort(first))
    renumbered = {name: number[at] for name, at in layout.cores.items()}
    return Layout(layout.parts, layout.demands, renumbered)


def _program(work: Job, layout: Layout) -> Program:
    slices: list[list[Slice]] = [[] for _ in range(layout.count)]
    taken = np.zeros((layout.count, len(work.limits)), np.int64)
    for name, on in layout.cores.items():
        np.add.at(taken, on, layout.demands[name])
        for core, part in zip(on, layout.parts[name], strict=True):
            slices[core].append(part)
    sites = places(work.chip, -(-layout.count // work.chip.cores.value))
    at = arranged(_traffic(work, layout), sites.distances)
    cores = [
        Core(
            chip=sites.chip[site],
            number=sites.number[site],
            x=sites.x[site],
            y=sites.y[site],
            slices=tuple(slices[index]),
            usage=usage(taken[index]),
        )
        for index, site in enumerate(at)
    ]
    cores.sort(key=lambda core: (core.chip, core.number))
    limits = {key: value for key, value in usage(work.limits).items() if value < NO_LIMIT}
    return Program(work.network, work.target.name, limits, tuple(cores))


def _traffic(work: Job, layout: Layout) -> NDArray[np.int64]:
    """Return the messages from core to core if every neuron sent one, int64 (cores, cores)."""
    traffic = np.zeros((layout.count, layout.count), np.int64)
    for projection in work.network.projections:
        if projection.source not in layout.parts:
            continue  # an input stands outside
        senders = Senders(work, projection, layout.parts[projection.target])
        there = layout.cores[projection.target]
        source = projection.source
        for core, part in zip(layout.cores[source], layout.parts[source], strict=True):
            np.add.at(traffic[core], there, senders.messages(part))
    return traffic
