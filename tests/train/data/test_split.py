import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pumice.runtime.errors import DataError
from pumice.train.data.split import stratified_split

LABELS = np.repeat([3, 0, 7], [5, 4, 6])


@given(st.integers(1, 3), st.integers(0, 2**32))
def test_the_split_is_a_partition_balanced_by_class(count: int, seed: int) -> None:
    rest, held_out = stratified_split(LABELS, count, seed)
    assert sorted([*rest, *held_out]) == list(range(15))
    assert [int((LABELS[held_out] == label).sum()) for label in (0, 3, 7)] == [count] * 3


def test_both_sides_are_in_ascending_order() -> None:
    rest, held_out = stratified_split(LABELS, 2, 0)
    assert (np.diff(rest) > 0).all() and (np.diff(held_out) > 0).all()


def test_the_split_depends_on_the_seed() -> None:
    splits = [stratified_split(np.zeros(100, int), 50, seed)[1].tolist() for seed in (1, 1, 2)]
    assert splits[0] == splits[1] != splits[2]


def test_a_class_with_too_few_samples_is_named() -> None:
    with pytest.raises(DataError, match="4 samples per class, but class 0 has 4"):
        stratified_split(LABELS, 4, 0)


def test_an_empty_split_is_rejected() -> None:
    with pytest.raises(DataError, match="needs 1 or more"):
        stratified_split(LABELS, 0, 0)
