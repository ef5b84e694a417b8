import re
from typing import Any

import numpy as np
import pytest

from pumice.runtime import Dense, Network, Population, Projection
from pumice.runtime.errors import EngineError
from pumice.runtime.events import validate_events


def network(*inputs: Population) -> Network:
    out = Population("out", (1,))
    projections = (
        Projection(f"from_{p.name}", p.name, "out", Dense(np.ones((1, p.neurons)))) for p in inputs
    )
    return Network((*inputs, out), tuple(projections))


ONE = network(Population("in", (2,), kind="input"))
GRADED = network(Population("in", (2,), kind="input", value_bits=3))
TWO = network(Population("a", (2,), kind="input"), Population("b", (1, 2, 2), kind="input"))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.uint16])
def test_events_of_any_integer_type_become_uint8(dtype: Any) -> None:
    events = np.array([[[0, 1]], [[1, 1]]], dtype)
    checked = validate_events(ONE, events)["in"]
    assert checked.dtype == np.uint8 and checked.tolist() == [[[0, 1]], [[1, 1]]]


def test_two_inputs_are_a_mapping_by_name() -> None:
    given = {"a": np.zeros((5, 3, 2), np.uint8), "b": np.ones((5, 3, 1, 2, 2), np.uint8)}
    checked = validate_events(TWO, given)
    assert {name: array.shape for name, array in checked.items()} == {
        "a": (5, 3, 2),
        "b": (5, 3, 1, 2, 2),
    }


def test_a_graded_input_takes_values_up_to_its_bits() -> None:
    assert validate_events(GRADED, np.full((1, 1, 2), 7, np.uint8))["in"].max() == 7
    with pytest.raises(EngineError, match=re.escape("in: events hold 8..8, needs 0..7")):
        validate_events(GRADED, np.full((1, 1, 2), 8, np.uint8))


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (np.zeros((2, 3, 3), np.uint8), "in: events are uint8 (2, 3, 3), needs integers"),
        (np.zeros((2, 2), np.uint8), "in: events are uint8 (2, 2), needs"),
        (np.zeros(2, np.uint8), "in: events are uint8 (2,), needs"),
        (np.zeros((2, 3, 2)), "in: events are float64"),
        (np.zeros((0, 3, 2), np.uint8), "in: events of shape (0, 3, 2) are empty"),
        (np.zeros((2, 0, 2), np.uint8), "are empty"),
        (np.full((2, 3, 2), 2), "in: events hold 2..2, needs 0..1"),
        (np.full((2, 3, 2), -1), "in: events hold -1..-1, needs 0..1"),
        (np.full((2, 3, 2), 256), "in: events hold 256..256, needs 0..1"),
        ({"other": np.zeros((2, 3, 2), np.uint8)}, "events for other, but the inputs are in"),
        ({}, "events for nothing, but the inputs are in"),
    ],
)
def test_events_that_do_not_fit_are_rejected(events: Any, message: str) -> None:
    with pytest.raises(EngineError, match=re.escape(message)):
        validate_events(ONE, events)


def test_two_inputs_need_names_and_the_same_length() -> None:
    a, b = np.zeros((5, 3, 2), np.uint8), np.zeros((4, 3, 1, 2, 2), np.uint8)
    with pytest.raises(EngineError, match="events for a, but the inputs are a, b"):
        validate_events(TWO, a)
    with pytest.raises(EngineError, match="inputs differ in timesteps or batch"):
        validate_events(TWO, {"a": a, "b": b})
