"""Vector bin packing of slices onto cores."""

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


def first_fit_decreasing(demands: IntArray, limits: IntArray) -> IntArray:
    """Pack slices onto few cores by first-fit decreasing.

    Slices are taken in decreasing order of their largest fraction of a limit; ties go to the
    earlier slice, so that the result is deterministic.

    Args:
        demands: Resources of each slice, int64 (slices, resources).
        limits: Capacity of a core, int64 (resources,).

    Returns:
        The core of each slice, int64 (slices,).
    """
    order = np.argsort(-(demands / limits).max(axis=1), kind="stable")
    free = np.tile(limits, (len(demands), 1))
    cores = np.zeros(len(demands), np.int64)
    used = 0
    for index in order:
        core = int((free[: used + 1] >= demands[index]).all(axis=1).argmax())
        used = max(used, core + 1)
        free[core] -= demands[index]
        cores[index] = core
    return cores
