from typing import Any

import numpy as np
import pytest

from pumice.runtime import Dense, Projection
from pumice.runtime.errors import NetworkError


@pytest.mark.parametrize(("key", "low", "high"), [("weight_exponent", -8, 7), ("delay", 0, 62)])
def test_each_register_takes_its_limits_and_nothing_beyond(key: str, low: int, high: int) -> None:
    connection = Dense(np.array([[1]]))
    for value in (low, high):
        changes: Any = {key: value}
        projection = Projection("p", "a", "b", connection, **changes)
        assert getattr(projection, key) == value
    for wrong in (low - 1, high + 1):
        changes = {key: wrong}
        with pytest.raises(NetworkError, match=f"p: {key} is {wrong}.* needs {low} to {high}"):
            Projection("p", "a", "b", connection, **changes)


@pytest.mark.parametrize(
    "values", [{"name": ""}, {"name": "a b"}, {"name": None}, {"delay": 1.0}, {"delay": "1"}]
)
def test_a_name_or_setting_of_the_wrong_type_is_rejected(values: dict[str, Any]) -> None:
    given = {"name": "p", "source": "a", "target": "b", "connection": Dense(np.array([[1]]))}
    with pytest.raises(NetworkError, match="a name is|needs an integer"):
        Projection(**{**given, **values})


def test_projections_differ_where_a_weight_does() -> None:
    first, same, other = (Projection("p", "a", "b", Dense(np.array([[w]]))) for w in (1, 1, 2))
    assert first == same and first != other
