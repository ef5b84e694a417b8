from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from pumice.runtime.arrays import ValueEquality, as_int, as_readonly
from pumice.runtime.errors import NetworkError


def test_a_readonly_array_is_a_copy() -> None:
    given = np.array([1, 2, 3])
    held = as_readonly(given, np.int16, "weights")
    given[0] = 9
    assert held.tolist() == [1, 2, 3] and held.dtype == np.int16
    with pytest.raises(ValueError, match="read-only"):
        held[0] = 9


def test_a_readonly_array_keeps_its_shape_in_c_order() -> None:
    held = as_readonly(np.arange(6).reshape(2, 3).T, np.int32, "weights")
    assert held.shape == (3, 2) and held.flags.c_contiguous


@pytest.mark.parametrize("values", [[1.0, 2.0], [True, False], np.uint64(7), 5])
def test_integers_of_any_type_are_accepted(values: ArrayLike) -> None:
    assert np.array_equal(as_readonly(values, np.int16, "weights"), np.asarray(values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 0.5], "value 0.5 is not an integer of type int16"),
        ([0, 32768], "value 32768 is not"),
        ([-32769], "value -32769 is not"),
        (np.uint64(2**64 - 1), "value 18446744073709551615 is not"),
        ([1e300], "value 1e"),
        ([np.nan], "NaN or infinite"),
        ([-np.inf], "NaN or infinite"),
        (["1"], "holds <U1 values"),
        ([None], "holds object values"),
        ([1j], "holds complex128 values"),
        ([[1, 2], [3]], "rows of different lengths"),
    ],
)
def test_non_integers_are_rejected_by_name(values: ArrayLike, message: str) -> None:
    with pytest.raises(NetworkError, match=message) as caught:
        as_readonly(values, np.int16, "hidden.threshold")
    assert str(caught.value).startswith("hidden.threshold: ")


@pytest.mark.parametrize("value", [2.0, "2", None, [2]])
def test_a_setting_that_is_no_integer_is_rejected(value: object) -> None:
    with pytest.raises(NetworkError, match="hidden: delay is .*, needs an integer"):
        as_int(value, "hidden: delay")


def test_a_numpy_integer_becomes_a_plain_one() -> None:
    assert type(as_int(np.int64(3), "delay")) is int


@dataclass(frozen=True, eq=False)
class Pair(ValueEquality):
    name: str
    values: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Other(Pair):
    pass


def test_equality_looks_into_the_arrays_and_at_the_type() -> None:
    pair = Pair("a", np.array([1, 2]))
    assert pair == Pair("a", np.array([1, 2]))
    assert pair != Pair("a", np.array([1, 3]))
    assert pair != Pair("a", np.array([1]))
    assert pair != Pair("b", np.array([1, 2]))
    assert pair != Other("a", np.array([1, 2]))
    with pytest.raises(TypeError, match="unhashable"):
        hash(pair)
