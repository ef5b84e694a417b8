"""Multiply bytes as the loops of the fast engine do, and compare with numpy: a script for tests."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pumice.runtime.engines.kernels import multiply_eight_lanes, multiply_sixteen_lanes
from pumice.runtime.engines.tables import PART_BITS, ROWS

QUADS, LEFT = 5, 3
Array = NDArray[Any]


def multiplied(
    image: Array, corners: Array, offsets: Array, weights: Array, sums: Array, targets: Array
) -> None:
    """Multiply eight windows with 24 lanes."""
    multiply_sixteen_lanes(image, corners, offsets, 1, QUADS, weights, 7, sums, targets, 0, LEFT)
    start = 7 + 2 * QUADS * 4 * ROWS
    multiply_eight_lanes(
        image, corners, offsets, 1, QUADS, weights, start, sums, targets, 2 * ROWS, LEFT
    )


multiply: Any = njit(multiplied)


def check(kind: type[np.int8 | np.uint8], extreme: bool) -> None:
    """Compare with products by numpy."""
    rng = np.random.default_rng(11)
    limits = np.iinfo(kind)
    image = rng.integers(0, 2**PART_BITS, 200).astype(np.uint8)
    weights = rng.integers(limits.min, limits.max + 1, 7 + 3 * QUADS * 4 * ROWS).astype(kind)
    if extreme:
        image[:], weights[:] = 2**PART_BITS - 1, rng.choice([limits.min, limits.max], weights.shape)
    corners = rng.integers(0, 100, ROWS)
    offsets = rng.integers(0, 90, 1 + QUADS).astype(np.int32)
    sums = rng.integers(-9, 9, 400).astype(np.int32)
    targets = rng.permutation(ROWS) * 3 * ROWS + 11
    expected = sums.astype(np.int64)
    held = weights[7:].astype(np.int64).reshape(3, QUADS, ROWS, 4)
    for corner, target in zip(corners, targets, strict=True):
        seen = np.stack([image[corner + o :][:4] for o in offsets[1:]]).astype(np.int64)
        made = np.einsum("tqlf,qf->tl", held, seen).reshape(-1) << LEFT
        expected[target : target + 3 * ROWS] += made
    multiply(image, corners, offsets, weights, sums, targets)
    assert np.array_equal(sums, expected)


if __name__ == "__main__":
    for kind in (np.int8, np.uint8):
        for extreme in (False, True):
            check(kind, extreme)
