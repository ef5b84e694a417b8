"""What neurons do, in units of their thresholds where these differ."""

from typing import Any

import numpy as np
import pytest

from pumice.convert.modules import cell
from pumice.convert.neuron_rule import Rule, below, between_sums, grid
from pumice.convert.steps import Joined
from pumice.runtime.errors import NetworkError

FLAT = Joined("dense", np.ones((2, 3)), np.array([0.5, 1.0]), (2,))
IMAGE = Joined("sum_pool", np.ones(1), np.zeros(2), (2, 3, 3), kernel=(2, 2))


def test_thresholds_that_differ_become_one() -> None:
    neurons, (scaled,) = cell(threshold=[2.0, 4.0], voltage_decay=0.5).neurons("out", [FLAT])
    np.testing.assert_array_equal(scaled.weights, [[0.5] * 3, [0.25] * 3])
    np.testing.assert_array_equal(neurons.bias, [0.25, 0.25])
    assert neurons.threshold == 1.0


def test_parameters_of_each_channel_make_a_pool_a_convolution() -> None:
    decays = np.repeat([0.1, 0.2], 9).reshape(2, 3, 3)
    neurons, (scaled,) = cell(gain=[1.0, 3.0], voltage_decay=decays).neurons("out", [IMAGE])
    np.testing.assert_array_equal(np.asarray(neurons.voltage_decay), [0.1, 0.2])
    assert (scaled.kind, scaled.groups, scaled.weights.shape) == ("conv", 2, (2, 1, 2, 2))
    assert scaled.weights[:, 0, 0, 0].tolist() == [1.0, 3.0]


def test_biases_of_several_maps_and_of_the_neurons_add_up() -> None:
    one, half = np.ones(1), np.full(1, 0.5)
    neurons, _ = Rule(one, half, one, one, one).neurons("out", [FLAT, FLAT])
    np.testing.assert_array_equal(neurons.bias, [1.5, 2.5])


@pytest.mark.parametrize(
    ("values", "map_", "text"),
    [
        ({"gain": np.arange(18.0)}, IMAGE, r"out: gain differs within a channel of \(2, 3, 3\)"),
        ({"voltage_decay": [0.1, 0.2, 0.3]}, FLAT, "out: voltage_decay has 3 values, needs one or"),
        ({"current_decay": 0.5}, FLAT, "out: filters the bias before it through its current"),
    ],
)
def test_what_no_population_has_is_refused_by_name(
    values: dict[str, Any], map_: Joined, text: str
) -> None:
    with pytest.raises(NetworkError, match=text):
        cell(**values).neurons("out", [map_])


def test_a_grid_is_the_largest_common_step() -> None:
    assert grid([np.array([0.75, -0.5]), np.zeros((1, 1))]) == 0.25
    assert grid([np.array([1 / 3, -1.0], np.float32)]) == pytest.approx(1 / 3)
    assert grid([np.random.default_rng(0).normal(size=50)]) == 0.0
    assert grid([np.zeros(3)]) == 0.0


def test_a_threshold_stands_midway_between_the_sums_that_occur() -> None:
    assert between_sums(1.0, 0.25, inclusive=True) == 0.875
    assert between_sums(1.0, 0.25, inclusive=False) == 1.125
    assert between_sums(0.8, 0.25, inclusive=True) == between_sums(0.8, 0.25, False) == 0.875
    assert between_sums(0.8, 0.0, inclusive=True) == below(0.8) < np.float32(0.8)
    assert between_sums(0.8, 0.0, inclusive=False) == 0.8


def test_neurons_that_leak_keep_their_threshold() -> None:
    for inclusive, threshold in ((False, 1.0), (True, below(1.0))):
        leaky = cell(voltage_decay=0.5, inclusive=inclusive)
        assert leaky.neurons("out", [FLAT])[0].threshold == threshold
