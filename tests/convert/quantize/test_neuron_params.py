"""Neuron parameters as a float population, in units of the threshold where these differ."""

from typing import Any

import numpy as np
import pytest

from pumice.convert.quantize.linear_ops import FusedLinear
from pumice.convert.quantize.neuron_params import (
    NeuronParams,
    common_divisor,
    make_neuron_params,
    midpoint_threshold,
    next_below,
)
from pumice.runtime.errors import NetworkError

FLAT = FusedLinear("dense", np.ones((2, 3)), np.array([0.5, 1.0]), (2,))
IMAGE = FusedLinear("sum_pool", np.ones(1), np.zeros(2), (2, 3, 3), kernel=(2, 2))


def test_different_thresholds_are_normalized_to_one() -> None:
    population, (scaled,) = make_neuron_params(
        threshold=[2.0, 4.0], voltage_decay=0.5
    ).to_population("out", [FLAT])
    np.testing.assert_array_equal(scaled.weights, [[0.5] * 3, [0.25] * 3])
    np.testing.assert_array_equal(population.bias, [0.25, 0.25])
    assert population.threshold == 1.0


def test_per_channel_gain_turns_a_pool_into_a_depthwise_convolution() -> None:
    decays = np.repeat([0.1, 0.2], 9).reshape(2, 3, 3)
    population, (scaled,) = make_neuron_params(gain=[1.0, 3.0], voltage_decay=decays).to_population(
        "out", [IMAGE]
    )
    np.testing.assert_array_equal(np.asarray(population.voltage_decay), [0.1, 0.2])
    assert (scaled.kind, scaled.groups, scaled.weights.shape) == ("conv", 2, (2, 1, 2, 2))
    assert scaled.weights[:, 0, 0, 0].tolist() == [1.0, 3.0]


def test_biases_of_projections_and_neurons_add_up() -> None:
    one, half = np.ones(1), np.full(1, 0.5)
    population, _ = NeuronParams(one, half, one, one, one).to_population("out", [FLAT, FLAT])
    np.testing.assert_array_equal(population.bias, [1.5, 2.5])


@pytest.mark.parametrize(
    ("values", "incoming", "text"),
    [
        ({"gain": np.arange(18.0)}, IMAGE, r"out: gain differs within a channel of \(2, 3, 3\)"),
        ({"voltage_decay": [0.1, 0.2, 0.3]}, FLAT, "out: voltage_decay has 3 values, needs one or"),
        ({"current_decay": 0.5}, FLAT, "out: filters the bias before it through its current"),
    ],
)
def test_unsupported_parameters_are_errors_that_name_them(
    values: dict[str, Any], incoming: FusedLinear, text: str
) -> None:
    with pytest.raises(NetworkError, match=text):
        make_neuron_params(**values).to_population("out", [incoming])


def test_common_divisor_of_weights() -> None:
    assert common_divisor([np.array([0.75, -0.5]), np.zeros((1, 1))]) == 0.25
    assert common_divisor([np.array([1 / 3, -1.0], np.float32)]) == pytest.approx(1 / 3)
    assert common_divisor([np.random.default_rng(0).normal(size=50)]) == 0.0
    assert common_divisor([np.zeros(3)]) == 0.0


def test_threshold_is_midway_between_possible_sums() -> None:
    assert midpoint_threshold(1.0, 0.25, inclusive=True) == 0.875
    assert midpoint_threshold(1.0, 0.25, inclusive=False) == 1.125
    assert (
        midpoint_threshold(0.8, 0.25, inclusive=True)
        == midpoint_threshold(0.8, 0.25, False)
        == 0.875
    )
    assert midpoint_threshold(0.8, 0.0, inclusive=True) == next_below(0.8) < np.float32(0.8)
    assert midpoint_threshold(0.8, 0.0, inclusive=False) == 0.8


def test_leaky_neurons_keep_their_threshold() -> None:
    for inclusive, threshold in ((False, 1.0), (True, next_below(1.0))):
        leaky = make_neuron_params(voltage_decay=0.5, inclusive=inclusive)
        assert leaky.to_population("out", [FLAT])[0].threshold == threshold
