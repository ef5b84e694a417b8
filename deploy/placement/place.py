"""Placement: from a network and a target to a program, few cores first, little traffic second."""

import numpy as np
from numpy.typing import NDArray

from ...runtime import (
    Core,
    Network,
    Program,
    Slice,
)
from ..targets.target import Target
from .capacity import check_capacity, check_core_count
from .lower_bound import min_cores
from .mesh import assign_cores, make_core_grid
from .partition import Partition, partition_network
from .problem import (
    NO_LIMIT,
    FanOutIndex,
    PlacementProblem,
    make_problem,
    resources_to_dict,
)


def place(network: Network, target: Target) -> Program:
    """Return `network` on the cores of `target`: the same for the same two, on every machine.

    Few cores come first (`laid_out`), then cores change places to shorten the way of messages
    (`arranged`). Raises `PlacementError`, which says which limit is passed and by how much, where
    a neuron fits on no core or all need more cores than there are, and `EngineError` where a cycle
    is too short for a chip.
    """
    work = make_problem(network, target)
    check_capacity(work)
    bound = min_cores(work)
    check_core_count(work, bound, "at least ")
    layout = partition_network(work, bound)
    check_core_count(work, layout.core_count, "")
    return build_program(work, layout)


def build_program(work: PlacementProblem, layout: Partition) -> Program:
    """Return the program in which the cores of `layout` have places on the target's chips."""
    return _assemble_program(work, _sort_cores(work, layout))


def _sort_cores(work: PlacementProblem, layout: Partition) -> Partition:
    """Return `layout` with its cores in the order of what they hold, so that neighbours talk."""
    first = np.full(layout.core_count, np.iinfo(np.int64).max)
    count = 0
    for population in work.network.topological_order:
        cores = layout.cores[population.name]
        np.minimum.at(first, cores, count + np.arange(len(cores)))
        count += len(cores)
    number = np.argsort(np.argsort(first))
    renumbered = {name: number[at] for name, at in layout.cores.items()}
    return Partition(layout.parts, layout.demands, renumbered)


def _assemble_program(work: PlacementProblem, layout: Partition) -> Program:
    slices: list[list[Slice]] = [[] for _ in range(layout.core_count)]
    taken = np.zeros((layout.core_count, len(work.limits)), np.int64)
    for name, on in layout.cores.items():
        np.add.at(taken, on, layout.demands[name])
        for core, part in zip(on, layout.parts[name], strict=True):
            slices[core].append(part)
    sites = make_core_grid(work.chip, -(-layout.core_count // work.chip.cores.value))
    at = assign_cores(_core_traffic(work, layout), sites.distances)
    cores = [
        Core(
            chip=sites.chip[site],
            number=sites.number[site],
            x=sites.x[site],
            y=sites.y[site],
            slices=tuple(slices[index]),
            usage=resources_to_dict(taken[index]),
        )
        for index, site in enumerate(at)
    ]
    cores.sort(key=lambda core: (core.chip, core.number))
    limits = {
        key: value for key, value in resources_to_dict(work.limits).items() if value < NO_LIMIT
    }
    return Program(work.network, work.target.name, limits, tuple(cores))


def _core_traffic(work: PlacementProblem, layout: Partition) -> NDArray[np.int64]:
    """Return the messages from core to core if every neuron sent one, int64 (cores, cores)."""
    traffic = np.zeros((layout.core_count, layout.core_count), np.int64)
    for projection in work.network.projections:
        if projection.source not in layout.parts:
            continue  # an input stands outside
        senders = FanOutIndex(work, projection, layout.parts[projection.target])
        there = layout.cores[projection.target]
        source = projection.source
        for core, part in zip(layout.cores[source], layout.parts[source], strict=True):
            np.add.at(traffic[core], there, senders.count_messages(part))
    return traffic
