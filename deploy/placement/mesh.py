"""Positions of cores on the mesh, and an assignment that keeps messages on short routes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..targets.target import Chip

IntArray = NDArray[np.int64]
MAX_PASSES = 8


@dataclass(frozen=True)
class CoreGrid:
    """Positions of the cores of some chips, neighbors next to each other; int64 (cores,) each.

    Attributes:
        chip: Index of the chip.
        number: Number of the core on its chip.
        x: Column of the core's tile on its chip.
        y: Row of the core's tile on its chip.
        column: Column counted over all chips, which lie in a row.
    """

    chip: IntArray
    number: IntArray
    x: IntArray
    y: IntArray
    column: IntArray

    @property
    def distances(self) -> IntArray:
        """Hops from each core to each core, int64 (cores, cores)."""
        across = abs(self.column[:, None] - self.column)
        down = abs(self.y[:, None] - self.y)
        hops: IntArray = across + down
        return hops


def make_core_grid(chip: Chip, chips: int) -> CoreGrid:
    """List the positions of the cores of `chips` chips in boustrophedon order, by columns."""
    width, per_tile = chip.width.value, chip.cores_per_tile.value
    number = np.tile(np.arange(chip.cores.value), chips)
    index = np.repeat(np.arange(chips), chip.cores.value)
    x, y = number // per_tile % width, number // per_tile // width
    column = index * width + x
    order = np.lexsort((number, np.where(column % 2, -y, y), column))
    return CoreGrid(index[order], number[order], x[order], y[order], column[order])


def assign_cores(traffic: IntArray, distances: IntArray) -> IntArray:
    """Assign cores to positions by pairwise exchange, so that messages take few hops.

    A local search on the quadratic assignment problem: starting from the given order, for each core
    in turn the exchange of two positions that lowers the sum of messages times hops most is made
    (the first of equals), in at most 8 passes.

    Args:
        traffic: Messages from core to core, int64 (cores, cores), in an order in which neighbors
            communicate.
        distances: Hops between positions, int64 (positions, positions), at least as many.

    Returns:
        The position of each core, int64 (cores,).
    """
    count = len(distances)
    symmetric = np.zeros((count, count), np.int64)
    symmetric[: len(traffic), : len(traffic)] = traffic + traffic.T
    np.fill_diagonal(symmetric, 0)
    position = np.arange(count)
    cost = symmetric @ distances  # (core i, position p): cost of core i if it alone moved to p
    for _ in range(MAX_PASSES):
        moved = False
        for core in range(len(traffic)):
            current = cost[np.arange(count), position]
            change = cost[core, position] + cost[:, position[core]] - current - current[core]
            change += 2 * symmetric[core] * distances[position[core], position]
            change[core] = 0
            other = int(change.argmin())
            if change[other] < 0:
                moved = True
                farther = distances[position[other]] - distances[position[core]]
                difference = symmetric[core] - symmetric[other]
                affected = np.flatnonzero(difference)
                cost[affected] += difference[affected, None] * farther
                position[core], position[other] = position[other], position[core]
        if not moved:
            break
    return position[: len(traffic)]
