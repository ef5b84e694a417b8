from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from pumice.runtime import packing
from pumice.runtime.packing import pack, unpack

SHAPES = array_shapes(min_dims=0, max_dims=4, max_side=9)


@given(arrays(np.int16, SHAPES) | arrays(np.int32, SHAPES), st.integers(1, 16))
def test_every_array_comes_back(values: Any, chunk: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "CHUNK", 8 * chunk)
        packed, description = pack(values)
        found = unpack(packed, description)
    assert found.shape == values.shape and (found == values).all()


@pytest.mark.parametrize(
    ("values", "bits", "content"),
    [
        ([0, 1, 2, 3, 3, 2, 1, 0], 2, [0b11100100, 0b00011011]),
        ([-64, 0, 64, 64], 2, [0b10100100]),  # ternary: steps of 64
        ([-256, -254, 254], 8, [0, 1, 255]),  # even numbers of mixed sign
        ([7, 7, 7], 1, [0]),
        ([0, 7, 5], 3, [0b01111000, 0b1]),
        ([0, 257], 1, [0b10]),
        ([0, 1, 256], 9, [0, 2, 0, 4]),
        ([-(2**31), 2**31 - 1], 1, [0b10]),
        ([-(2**31), 0, 1], 32, [0, 0, 0, 0, 0, 0, 0, 128, 1, 0, 0, 128]),
    ],
)
def test_codes_take_the_bits_they_need(values: list[int], bits: int, content: list[int]) -> None:
    packed, description = pack(np.array(values, np.int32))
    assert description["bits"] == bits
    assert packed.tolist() == content


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bits", 3),
        ("bits", 0),
        ("bits", 2.0),
        ("bits", True),
        ("step", 0),
        ("step", 1 << 32),
        ("low", 1 << 32),
        ("low", None),
        ("shape", [5]),
        ("shape", [-2, -2]),
        ("shape", [0]),
        ("shape", [1 << 62, 1 << 62]),
        ("shape", ["4"]),
    ],
)
def test_a_description_that_does_not_fit_is_an_error(key: str, value: Any) -> None:
    packed, description = pack(np.array([0, 1, 2, 3], np.int16))
    with pytest.raises((ValueError, TypeError)):
        unpack(packed, description | {key: value})


def test_other_bytes_are_an_error() -> None:
    packed, description = pack(np.arange(16))
    with pytest.raises(ValueError, match="of 7 bytes does not fit"):
        unpack(packed[:-1], description)
    with pytest.raises(ValueError, match="does not fit"):
        unpack(packed.astype(np.int8), description)
