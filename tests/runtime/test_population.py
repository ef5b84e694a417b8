import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pumice.runtime import Population
from pumice.runtime.errors import NetworkError

SOFT = {"reset": "subtract", "reset_value": 1}


def test_several_spikes_set_the_bits_of_a_message() -> None:
    several = Population("a", (1,), max_spikes=10, **SOFT)  # type: ignore[arg-type]
    assert (several.value_bits, several.max_value) == (4, 10)
    assert replace(several, name="b").value_bits == 4


def test_states_name_what_a_neuron_keeps() -> None:
    assert Population("a", (1,), "input").states == ()
    assert Population("a", (1,), "integrator").states == ("current", "voltage")
    assert Population("a", (1,), refractory=2).states == ("current", "voltage", "countdown")


def test_a_scalar_a_channel_and_a_neuron_parameter_broadcast_to_the_shape() -> None:
    each = np.arange(12).reshape(2, 3, 2)
    population = Population(
        "conv", (2, 3, 2), current_decay=7, voltage_decay=[1, 2], threshold=each, bias=-1
    )
    assert population.current_decay.shape == ()
    assert population.voltage_decay.tolist() == [[[1]], [[2]]]
    assert np.array_equal(population.threshold, each)
    assert population.neurons == 12


def test_a_parameter_with_one_value_a_channel_round_trips() -> None:
    population = Population("conv", (2, 3, 2), voltage_decay=np.array([[[1]], [[2]]]))
    again = Population("conv", (2, 3, 2), voltage_decay=population.voltage_decay)
    assert population == again


def test_the_values_of_an_input_follow_its_bits() -> None:
    assert Population("in", (3,), kind="input").max_value == 1
    assert Population("in", (3,), kind="input", value_bits=8).max_value == 255


def test_parameters_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Population("a", (3,), threshold=[1, 2, 3]).threshold[0] = 5


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("current_decay", 0, 4096),
        ("voltage_decay", 0, 4096),
        ("threshold", 0, 131071),
        ("bias", -4096, 4095),
        ("bias_exponent", 0, 7),
        ("min_voltage", -131072, 0),
        ("refractory", 0, 255),
    ],
)
def test_each_register_takes_its_limits_and_nothing_beyond(key: str, low: int, high: int) -> None:
    for value in (low, high):
        assert np.array_equal(getattr(Population("a", (1,), **{key: value}), key), value)  # type: ignore[arg-type]
    for value in (low - 1, high + 1):
        with pytest.raises(NetworkError, match=f"a: {key} is {value}, needs {low} to {high}"):
            Population("a", (1,), **{key: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "a b"}, "population 'a b': a name is"),
        ({"name": "a/b"}, "a name is"),
        ({"name": ""}, "a name is"),
        ({"name": "a\n"}, "a name is"),
        ({"name": 5}, "a name is"),
        ({"shape": ()}, "shape () is not"),
        ({"shape": (2, 3)}, "shape (2, 3) is not"),
        ({"shape": (0,)}, "shape (0,) is not"),
        ({"shape": (2.5,)}, "a size in the shape is 2.5, needs an integer"),
        ({"shape": ("3",)}, "a size in the shape is '3'"),
        ({"shape": (2**31,)}, "has 2147483648 neurons"),
        ({"shape": (2**26 + 1,)}, "has 67108865 neurons, needs at most 67108864"),
        ({"kind": "lif"}, "kind 'lif' is none of"),
        ({"kind": "integrator", "value_bits": 2}, "value_bits is 2, needs 1 to 1"),
        ({"kind": "input", "value_bits": 25}, "value_bits is 25, needs 1 to 24"),
        ({"value_bits": 9}, "value_bits is 9, needs 1 to 8"),
        ({"signed": True}, "cuba populations send no signed values"),
        ({"kind": "input", "signed": True}, "signed values of 1 bit, needs 2 or more"),
        ({"kind": "input", "signed": 1}, "signed is 1, needs True or False"),
        ({"align_bits": 0}, "align_bits is 0, needs 6 to 6"),
        ({"kind": "integrator", "align_bits": 3}, "align_bits is 3, needs 0 or 6"),
        (
            {"kind": "integrator", "align_bits": 0, "voltage_decay": 1},
            "align_bits 0 needs a current_decay of 4096 and a voltage_decay of 0",
        ),
        (
            {"kind": "sigma_delta", "current_decay": 0},
            "sigma_delta populations have a current_decay of 4096 and a voltage_decay of 0",
        ),
        (
            {"kind": "sigma_delta", "min_voltage": -1},
            "sigma_delta populations of messages have no min_voltage",
        ),
        ({"kind": "delta", "bias": 1}, "delta populations have no bias"),
        ({"bias_exponent": 6.0}, "bias_exponent is 6.0, needs an integer"),
        ({"threshold": [1, 2]}, "threshold has shape (2,), needs one value, (3,) or (3,)"),
        ({"threshold": [1, 2, 131072]}, "threshold is 131072"),
        ({"threshold": 0.5}, "a.threshold: value 0.5 is not an integer"),
        ({"reset": "none"}, "reset 'none' is none of"),
        ({"reset_value": 5}, 'resets to zero, but has a reset_value; use reset="value"'),
        ({"reset": "value", "reset_value": 131072}, "reset_value is 131072, needs -131072 to"),
        ({"reset": "subtract"}, "subtracts a reset_value of 0, needs 1 or more"),
        ({"reset": "delayed_subtract", "reset_value": [5, -1, 5]}, "subtracts a reset_value of -1"),
        ({"max_spikes": 3}, "max_spikes 3 with reset 'zero', needs \"subtract\""),
        ({"max_spikes": 256}, "max_spikes is 256, needs 1 to 255"),
        (SOFT | {"max_spikes": 4, "value_bits": 2}, "messages of 2 bits, but max_spikes 4 needs 3"),
        (
            {"reset": "delayed_subtract", "reset_value": 1, "refractory": 1},
            "a refractory period needs a reset in the same timestep",
        ),
        ({"kind": "integrator", "reset": "value"}, "integrator populations have no reset"),
        ({"kind": "integrator", "refractory": 1}, "refractory is 1, needs 0 to 0"),
        ({"kind": "input", "min_voltage": -1}, "input populations have no voltage"),
        ({"shape": (2, 1, 3), "bias": [1, 2, 3]}, "bias has shape (3,), needs one value, (2,) or"),
    ],
)
def test_values_beyond_their_registers_are_rejected(values: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=re.escape(message)):
        Population(**{"name": "a", "shape": (3,), **values})
