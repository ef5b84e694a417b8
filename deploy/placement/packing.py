"""Slices onto cores: as few as a greedy packing finds."""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]


def first_fit_decreasing(demands: Matrix, limits: Matrix) -> Matrix:
    """Return on which core each slice with these `demands` goes, int64 (slices,); few cores.

    First fit, the heaviest slice first by its largest share of a limit. Ties go to the earlier
    slice, so the result is always the same.
    """
    order = np.argsort(-(demands / limits).max(axis=1), kind="stable")
    room = np.tile(limits, (len(demands), 1))
    at = np.zeros(len(demands), np.int64)
    used = 0
    for index in order:
        core = int((room[: used + 1] >= demands[index]).all(axis=1).argmax())
        used = max(used, core + 1)
        room[core] -= demands[index]
        at[index] = core
    return at
