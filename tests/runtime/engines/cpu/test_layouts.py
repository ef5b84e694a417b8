"""Layouts and sums of weights in the C core against numpy."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

core: Any = pytest.importorskip("pumice.runtime.engines.cpu._core")

SIZES = st.tuples(
    st.integers(1, 3), st.integers(1, 40), st.integers(1, 9), st.integers(1, 4), st.integers(1, 5)
)


def random_bytes(kernel: tuple[int, ...], seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, kernel, np.uint8)


@given(SIZES, st.integers(0, 99), st.data())
def test_weights_are_laid_out_by_input(kernel: Any, seed: int, data: st.DataObject) -> None:
    weights = random_bytes(kernel, seed)
    order = data.draw(st.permutations(range(kernel[4])))
    laid = np.empty(weights.size, np.uint8)
    core.lay_by_input(weights, kernel, np.argsort(order).astype(np.int32), laid)
    assert (laid == weights[..., order].transpose(0, 2, 3, 4, 1).reshape(-1)).all()


@given(SIZES, st.integers(0, 99), st.booleans(), st.data())
def test_weights_are_laid_out_in_fours(
    kernel: Any, seed: int, joined: bool, data: st.DataObject
) -> None:
    groups, outputs, inputs, height, width = kernel
    weights = random_bytes(kernel, seed)
    order = np.array(data.draw(st.permutations(range(width))), np.int32)
    laid = np.empty(weights.size, np.uint8)
    core.lay_by_input(weights, kernel, np.argsort(order).astype(np.int32), laid)

    run, runs = (width * inputs, height) if joined else (inputs, height * width)
    fours, lanes = -(-run // 4), -(-outputs // 8) * 8
    held = weights.transpose(0, 3, 4, 2, 1).reshape(groups, runs, run, outputs)
    padding = [(0, 0), (0, 0), (0, 4 * fours - run), (0, lanes - outputs)]
    held = np.pad(held, padding).reshape(groups, runs * fours, 4, lanes)
    tiles = [held[..., lane : lane + 16].transpose(0, 1, 3, 2) for lane in range(0, lanes, 16)]
    expected = np.concatenate([tile.reshape(groups, -1) for tile in tiles], axis=1).reshape(-1)

    packed = np.full(expected.size, 99, np.uint8)
    core.lay_by_quad(laid, kernel, np.argsort(order).astype(np.int32), joined, packed)
    assert (packed == expected).all()


@given(st.integers(1, 9), st.sampled_from([1, 7, 300, 4095, 4096, 9000]), st.integers(0, 99))
def test_extreme_sums_are_those_of_rows(rows: int, columns: int, seed: int) -> None:
    weights = random_bytes((rows, columns), seed)
    signed = weights.view(np.int8).astype(int)
    assert core.extreme_sums(weights, rows, 0) == (weights.sum(axis=1, dtype=int).max(), 0)
    assert core.extreme_sums(weights, rows, 1) == (
        signed.clip(0).sum(axis=1).max(),
        (-signed).clip(0).sum(axis=1).max(),
    )


def test_sums_of_the_largest_weights_are_exact() -> None:
    weights = np.full((2, 1 << 20), 0x80, np.uint8)
    assert core.extreme_sums(weights, 2, 0) == (1 << 27, 0)
    assert core.extreme_sums(weights, 2, 1) == (0, 1 << 27)


def test_arrays_that_do_not_fit_are_refused() -> None:
    order, weights, to = np.zeros(1, np.int32), np.zeros(6, np.uint8), np.zeros(6, np.uint8)
    for shape in [(1, 2, 4, 1, 1), (0, 6, 1, 1, 1), (1, 1, 3, 1, 2), (-1, -6, 1, 1, 1)]:
        with pytest.raises(ValueError, match="does not fit"):
            core.lay_by_input(weights, shape, order, to)
        with pytest.raises(ValueError, match="does not fit"):
            core.lay_by_quad(weights, shape, order, False, to)
    with pytest.raises(ValueError, match="does not fit"):
        core.lay_by_input(weights, (1, 2, 3, 1, 1), order + 1, to)
    with pytest.raises(ValueError, match="does not fit"):
        core.lay_by_input(weights, (1, 2, 3, 1, 1), order, to[1:])
    with pytest.raises(ValueError, match="does not fit"):
        core.lay_by_quad(weights, (1, 2, 3, 1, 1), order, False, to)
    for rows in (0, 4):
        with pytest.raises(ValueError, match="do not fit"):
            core.extreme_sums(weights, rows, 1)
