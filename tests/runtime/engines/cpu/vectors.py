"""Compare byte operations of the CPU engine with numpy: a script for tests."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from pumice.runtime.engines.cpu.kernels import (
    AT_ONCE,
    add,
    count_active,
    find_active,
    multiply_eight_lanes,
    multiply_sixteen_lanes,
)
from pumice.runtime.engines.cpu.structs import (
    BLOCK,
    LANES,
    PART_BITS,
    ROWS,
)

QUADS, LEFT = 5, 3
Array = NDArray[Any]


def call_multiply(
    image: Array, corners: Array, offsets: Array, weights: Array, sums: Array, targets: Array
) -> None:
    """Multiply eight windows with 24 lanes."""
    multiply_sixteen_lanes(image, corners, offsets, 1, QUADS, weights, 7, sums, targets, 0, LEFT)
    start = 7 + 2 * QUADS * 4 * ROWS
    multiply_eight_lanes(
        image, corners, offsets, 1, QUADS, weights, start, sums, targets, 2 * ROWS, LEFT
    )


def call_add(
    sums: Array, length: int, weights: Array, plane: int, active: Array, first: int, last: int
) -> None:
    """Add up weights of some events, from 5 on, to sums from 9 on."""
    add(sums, 9, length, weights, 5, plane, LEFT, active, first, last)


def call_count(values: Array, first: int, size: int) -> int:
    """Count values that are not zero."""
    return int(count_active(values, first, size))


multiply: Any = njit(call_multiply)
add_up: Any = njit(call_add)
count: Any = njit(call_count)


def check_sums(kind: type[np.int8 | np.uint8], extreme: bool) -> None:
    """Compare with sums by numpy, of any length and of more events than are added up at once."""
    rng = np.random.default_rng(12)
    limits = np.iinfo(kind)
    events = 3 * AT_ONCE
    for length in (*range(1, 3 * LANES), 8 * LANES, 8 * LANES + 1, 15 * LANES, 15 * LANES + 9, 400):
        plane = length + 3
        weights = rng.integers(limits.min, limits.max + 1, 5 + events * plane + LANES).astype(kind)
        if extreme:
            weights[:] = rng.choice([limits.min, limits.max])
        rows = weights[5 : 5 + events * plane].reshape(events, plane)[:, :length]
        for count in (0, 1, 2, 3, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 2 * AT_ONCE + 5):
            active = np.append([-1, -1], np.sort(rng.permutation(events)[:count])).astype(np.int32)
            sums = rng.integers(-9, 9, 9 + length + LANES).astype(np.int32)
            expected = sums.astype(np.int64)
            expected[9 : 9 + length] += rows[active[2:]].sum(axis=0, dtype=np.int64) << LEFT
            add_up(sums, length, weights, plane, active, 2, len(active))
            assert np.array_equal(sums, expected), (length, count)


def check_products(kind: type[np.int8 | np.uint8], extreme: bool) -> None:
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
    packed = weights[7:].astype(np.int64).reshape(3, QUADS, ROWS, 4)
    for corner, target in zip(corners, targets, strict=True):
        quads = np.stack([image[corner + o :][:4] for o in offsets[1:]]).astype(np.int64)
        products = np.einsum("tqlf,qf->tl", packed, quads).reshape(-1) << LEFT
        expected[target : target + 3 * ROWS] += products
    multiply(image, corners, offsets, weights, sums, targets)
    assert np.array_equal(sums, expected)


def check_active(rate: float) -> None:
    """Find values that are not zero, anywhere, as numpy does."""
    rng = np.random.default_rng(8)
    values = (rng.integers(1, 256, 5 * BLOCK) * (rng.random(5 * BLOCK) < rate)).astype(np.uint8)
    for first, blocks in ((0, 5), (0, 0), (7, 4), (BLOCK, 1)):
        here = values[first : first + blocks * BLOCK]
        actual = np.full(len(here) + 3, -1, np.int32)
        size = find_active(values, first, len(here), actual, 2)
        assert size == count(values, first, len(here)) == np.count_nonzero(here)
        assert np.array_equal(actual[2 : 2 + size], np.flatnonzero(here))
        assert (actual[:2] == -1).all()
        assert (actual[2 + size :] == -1).all()


if __name__ == "__main__":
    for rate in (0.0, 0.05, 0.5, 1.0):
        check_active(rate)
    for kind in (np.int8, np.uint8):
        for extreme in (False, True):
            check_products(kind, extreme)
            check_sums(kind, extreme)
