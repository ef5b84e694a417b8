"""Where cores lie: places on a mesh, and an arrangement in which messages go short ways."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..targets.target import Chip

IntArray = NDArray[np.int64]
MAX_PASSES = 8


@dataclass(frozen=True)
class CoreGrid:
    """The cores of some chips, neighbours next to each other; int64 (cores,) each.

    `x` and `y` are those of the tile on its chip; chips lie in a row, so that `column` counts on.
    """

    chip: IntArray
    number: IntArray
    x: IntArray
    y: IntArray
    column: IntArray

    @property
    def distances(self) -> IntArray:
        """Return the hops from each core to each, int64 (cores, cores)."""
        across = abs(self.column[:, None] - self.column)
        down = abs(self.y[:, None] - self.y)
        hops: IntArray = across + down
        return hops


def make_core_grid(chip: Chip, chips: int) -> CoreGrid:
    """Return the cores of `chips` chips, column by column, down and up in turn."""
    width, on_tile = chip.width.value, chip.cores_per_tile.value
    number = np.tile(np.arange(chip.cores.value), chips)
    index = np.repeat(np.arange(chips), chip.cores.value)
    x, y = number // on_tile % width, number // on_tile // width
    column = index * width + x
    order = np.lexsort((number, np.where(column % 2, -y, y), column))
    return CoreGrid(index[order], number[order], x[order], y[order], column[order])


def assign_cores(traffic: IntArray, distances: IntArray) -> IntArray:
    """Return at which place each core stands, int64 (cores,), so that messages go short ways.

    `traffic` are the messages from core to core, int64 (cores, cores), in an order in which
    neighbours talk; `distances` those of at least as many places. From this order on, two places
    are exchanged as long as that lowers the sum of messages times hops: for each core in turn the
    exchange that lowers it most, the first of equals, in at most 8 rounds.
    """
    count = len(distances)
    both = np.zeros((count, count), np.int64)
    both[: len(traffic), : len(traffic)] = traffic + traffic.T
    np.fill_diagonal(both, 0)
    at = np.arange(count)
    cost = both @ distances  # of core i, were it alone to stand at place p
    for _ in range(MAX_PASSES):
        moved = False
        for core in range(len(traffic)):
            stays = cost[np.arange(count), at]
            gain = cost[core, at] + cost[:, at[core]] - stays - stays[core]
            gain += 2 * both[core] * distances[at[core], at]
            gain[core] = 0
            other = int(gain.argmin())
            if gain[other] < 0:
                moved = True
                apart = distances[at[other]] - distances[at[core]]
                change = both[core] - both[other]
                talk = np.flatnonzero(change)
                cost[talk] += change[talk, None] * apart
                at[core], at[other] = at[other], at[core]
        if not moved:
            break
    return at[: len(traffic)]
