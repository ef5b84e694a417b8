"""Placement: map a network to the cores of a target, few cores first, little traffic second."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime import Core, Network, Program, Slice
from ..targets.target import TargetLike, as_target
from .capacity import check_capacity, check_core_count
from .lower_bound import min_cores
from .mesh import assign_cores, make_core_grid
from .partition import Partition, partition_network
from .problem import NO_LIMIT, PlacementProblem, make_problem, resources_to_dict
from .resources import FanOutIndex


@dataclass(frozen=True)
class PlacementSolution:
    """A placement problem, a lower bound of its cores, and the program that solves it."""

    problem: PlacementProblem
    lower_bound: int
    program: Program


def place(network: Network, target: TargetLike) -> Program:
    """Place `network` on the cores of `target`.

    The number of cores is minimized first (`partition_network`), then the number of hops that
    messages take (`assign_cores`). The result is deterministic, on every machine.

    Args:
        network: The network to place.
        target: A target, the name of a shipped one such as "loihi2", or the path of a TOML file.

    Returns:
        The program: the network and the slices of each core.

    Raises:
        PlacementError: A neuron fits on no core, or all neurons need more cores than there are; the
            message names the limit, the excess and a remedy.
        EngineError: A cycle of the network is too short for a chip.
        RecipeError: `target` names no target, or its file is invalid.
    """
    return solve_placement(make_problem(network, as_target(target))).program


def solve_placement(problem: PlacementProblem) -> PlacementSolution:
    """Solve a placement problem; raises as `place` does."""
    check_capacity(problem)
    lower_bound = min_cores(problem)
    check_core_count(problem, lower_bound, "at least ")
    partition = partition_network(problem, lower_bound)
    check_core_count(problem, partition.core_count)
    return PlacementSolution(problem, lower_bound, build_program(problem, partition))


def build_program(problem: PlacementProblem, partition: Partition) -> Program:
    """Give the cores of `partition` positions on the target's chips."""
    return _assemble_program(problem, _sort_cores(problem, partition))


def _sort_cores(problem: PlacementProblem, partition: Partition) -> Partition:
    """Number the cores in the order of what they hold, so that neighbors communicate."""
    first = np.full(partition.core_count, np.iinfo(np.int64).max)
    count = 0
    for population in problem.network.topological_order:
        cores = partition.cores[population.name]
        np.minimum.at(first, cores, count + np.arange(len(cores)))
        count += len(cores)
    number = np.argsort(np.argsort(first))
    renumbered = {name: number[cores] for name, cores in partition.cores.items()}
    return Partition(partition.parts, partition.demands, renumbered)


def _assemble_program(problem: PlacementProblem, partition: Partition) -> Program:
    slices: list[list[Slice]] = [[] for _ in range(partition.core_count)]
    usage = np.zeros((partition.core_count, len(problem.limits)), np.int64)
    for name, core_of_slice in partition.cores.items():
        np.add.at(usage, core_of_slice, partition.demands[name])
        for core, part in zip(core_of_slice, partition.parts[name], strict=True):
            slices[core].append(part)
    grid = make_core_grid(problem.chip, -(-partition.core_count // problem.chip.cores.value))
    positions = assign_cores(_core_traffic(problem, partition), grid.distances)
    cores = [
        Core(
            chip=grid.chip[position],
            number=grid.number[position],
            x=grid.x[position],
            y=grid.y[position],
            slices=tuple(slices[index]),
            usage=resources_to_dict(usage[index]),
        )
        for index, position in enumerate(positions)
    ]
    cores.sort(key=lambda core: (core.chip, core.number))
    limits = {k: v for k, v in resources_to_dict(problem.limits).items() if v < NO_LIMIT}
    return Program(problem.network, problem.target.name, limits, tuple(cores))


def _core_traffic(problem: PlacementProblem, partition: Partition) -> NDArray[np.int64]:
    """Count the messages from core to core if every neuron sent one, int64 (cores, cores)."""
    traffic = np.zeros((partition.core_count, partition.core_count), np.int64)
    for projection in problem.network.projections:
        source = projection.source
        if source not in partition.parts:
            continue  # an input population is on no core
        fan_out = FanOutIndex(problem, projection, partition.parts[projection.target])
        target_cores = partition.cores[projection.target]
        for core, part in zip(partition.cores[source], partition.parts[source], strict=True):
            np.add.at(traffic[core], target_cores, fan_out.count_messages(part))
    return traffic
