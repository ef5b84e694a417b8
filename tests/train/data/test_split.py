import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pumice.runtime.errors import DataError
from pumice.train.data.split import stratified_split

LABELS = np.repeat([3, 0, 7], [5, 4, 6])


@given(st.integers(1, 3), st.integers(0, 2**32))
def test_every_sample_is_on_one_side_and_each_class_gives_as_many(count: int, seed: int) -> None:
    rest, held = stratified_split(LABELS, count, seed)
    assert sorted([*rest, *held]) == list(range(15))
    assert [int((LABELS[held] == label).sum()) for label in (0, 3, 7)] == [count] * 3


def test_both_sides_keep_the_order_of_the_samples() -> None:
    rest, held = stratified_split(LABELS, 2, 0)
    assert (np.diff(rest) > 0).all() and (np.diff(held) > 0).all()


def test_one_seed_draws_one_split_and_another_seed_another() -> None:
    draws = [stratified_split(np.zeros(100, int), 50, seed)[1].tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_a_class_that_would_run_out_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="4 samples a class, but class 0 has 4"):
        stratified_split(LABELS, 4, 0)


def test_a_split_that_holds_nothing_out_is_refused() -> None:
    with pytest.raises(DataError, match="needs 1 or more"):
        stratified_split(LABELS, 0, 0)
