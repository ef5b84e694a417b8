import re
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from pumice.runtime import Conv, Dense, Sparse, SumPool
from pumice.runtime.connections import Connection, as_depthwise_conv
from pumice.runtime.errors import NetworkError


def sparse(weights: Any, rows: Any, columns: Any, shape: Any) -> Sparse:
    return Sparse(weights, rows, columns, shape)


def test_weights_of_one_sign_may_be_odd_and_of_mixed_sign_are_even() -> None:
    for weights in ([3, 5, 255], [-3, 0, -255], [254, -256], [0, 0]):
        assert Dense(np.array([weights])).weights.tolist() == [weights]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([[3, -5]], "an odd weight 3; 8 bits of mixed sign"),
        ([[2, -258]], "weights -258..2; 8 bits of mixed sign"),
        ([[256, -2]], "weights -2..256; 8 bits of mixed sign"),
        ([[256, 2]], "weights 2..256; 8 bits of one sign"),
        ([[-256, -2]], "weights -256..-2; 8 bits of one sign"),
        ([1, 2], "weights of shape (2,), needs 2 axes"),
        (np.zeros((3, 0)), "weights of shape (3, 0)"),
        ([[0.5]], "value 0.5 is not an integer"),
    ],
)
def test_weights_beyond_8_bits_are_rejected(weights: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        Dense(weights)


def test_sparse_synapses_are_sorted_by_row_then_column() -> None:
    stored = sparse([1, 2, 3, 4], [1, 0, 1, 0], [0, 2, 2, 1], (2, 3))
    assert stored.rows.tolist() == [0, 0, 1, 1]
    assert stored.columns.tolist() == [1, 2, 0, 2]
    assert stored.weights.tolist() == [4, 2, 1, 3]
    assert stored == sparse([4, 3, 2, 1], [0, 1, 0, 1], [1, 2, 2, 0], (2, 3))


def test_a_sparse_connection_may_be_empty() -> None:
    stored = sparse([], [], [], (2, 3))
    assert stored.sum_abs_weights().tolist() == [0, 0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (([1, 2], [0], [0], (1, 1)), "2 weights, 1 rows, 1 columns"),
        (([1], [2], [0], (2, 3)), "rows 2..2, needs 0..1"),
        (([1], [-1], [0], (2, 3)), "rows -1..-1, needs 0..1"),
        (([1], [0], [3], (2, 3)), "columns 3..3, needs 0..2"),
        (([1, 2], [0, 0], [1, 1], (2, 3)), "two weights for one pair of neurons"),
        (([1], [0], [0], (2,)), "shape is (2,), needs two integers from 1"),
        (([1], [0], [0], (2, 2.5)), "sparse: shape is 2.5, needs an integer"),
    ],
)
def test_an_invalid_sparse_connection_is_rejected(values: Any, message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        Sparse(*values)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv(np.ones((2, 1, 3, 3)), stride=(0, 1)), "conv: stride is (0, 1)"),
        (lambda: Conv(np.ones((2, 1, 3, 3)), padding=(-1, 0)), "conv: padding is (-1, 0)"),
        (lambda: Conv(np.ones((2, 1, 3, 3)), dilation=(1, 0)), "conv: dilation is (1, 0)"),
        (lambda: Conv(np.ones((2, 1, 3, 3)), stride=(1.5, 1)), "conv: stride is 1.5"),  # type: ignore[arg-type]
        (lambda: Conv(np.ones((3, 1, 3, 3)), groups=2), "3 channels do not divide into 2 groups"),
        (lambda: Conv(np.ones((3, 1, 3, 3)), groups=0), "do not divide into 0 groups"),
        (lambda: Conv(np.ones((3, 1, 3))), "needs 4 axes"),
        (lambda: SumPool((0, 2), (2, 2)), "sum_pool: kernel is (0, 2)"),
        (lambda: SumPool((2, 2), (2, 2), weight=256), "weights 256..256"),
        (lambda: SumPool((2, 2), (2, 2), weight=1.5), "sum_pool: weight is 1.5"),  # type: ignore[arg-type]
    ],
)
def test_an_invalid_window_is_rejected(make: Callable[[], Connection], message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        make()


@pytest.mark.parametrize(
    ("connection", "source", "message"),
    [
        (Dense(np.array([[1, 2]])), (3,), "2 inputs, but (3,) is 3"),
        (sparse([1], [0], [0], (1, 2)), (3,), "2 inputs, but (3,) is 3"),
        (
            Conv(np.ones((1, 2, 1, 1))),
            (3, 4, 4),
            "takes (2, height, width), but the source is (3, 4",
        ),
        (Conv(np.ones((1, 2, 1, 1))), (32,), "takes (2, height, width), but the source is (32,)"),
        (SumPool((2, 2), (2, 2)), (8,), "takes (channels, height, width)"),
        (SumPool((5, 2), (2, 2)), (1, 4, 4), "a window of 5 does not fit into 4 plus padding on"),
    ],
)
def test_a_source_that_does_not_fit_is_rejected(
    connection: Connection, source: tuple[int, ...], message: str
) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        connection.target_shape(source)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation"),
    list(product((5, 6), (1, 3), (1, 2, 3), (0, 1), (1, 2))),
)
def test_the_shape_of_a_convolution_counts_the_windows_that_fit(
    size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    conv = Conv(np.ones((4, 1, kernel, 1)), (stride, 1), (padding, 0), (dilation, 1))
    last = size + 2 * padding - dilation * (kernel - 1)
    assert conv.target_shape((1, size, 7)) == (4, len(range(0, last, stride)), 7)


def test_sum_abs_weights_bounds_the_sum_into_a_neuron() -> None:
    assert Dense(np.array([[2, -4], [0, 6]])).sum_abs_weights().tolist() == [6, 6]
    assert sparse([2, -4], [1, 1], [0, 1], (2, 2)).sum_abs_weights().tolist() == [0, 6]
    assert Conv(np.array([[[[2, -4]]], [[[6, 0]]]])).sum_abs_weights().tolist() == [6, 6]
    assert SumPool((2, 3), (1, 1), weight=-5).sum_abs_weights().tolist() == [30]


def test_sum_pooling_is_a_depthwise_convolution() -> None:
    conv = as_depthwise_conv(SumPool((2, 3), (1, 2), (1, 0), 7), 4)
    assert conv.weights.shape == (4, 1, 2, 3) and (conv.weights == 7).all()
    assert (conv.stride, conv.padding, conv.groups) == ((1, 2), (1, 0), 4)
