from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from pumice.convert.quantize.float_network import FloatNetwork, FloatPopulation, FloatProjection
from pumice.convert.quantize.quantize import quantize_network
from pumice.deploy.placement.synaptic_memory import stored_weight_bits
from pumice.runtime import Conv, Dense, SumPool
from pumice.runtime.errors import NetworkError


def reals(values: ArrayLike) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def graph(
    weights: ArrayLike = ((0.5, -1.0), (0.25, 0.0)), bias: ArrayLike = (0.1, -0.2)
) -> FloatNetwork:
    hidden = FloatPopulation("hidden", (2,), reals(bias), 0.8, 0.25, 0.5)
    output = FloatPopulation("output", (1,), reals([0.0]), 0.0, 1.0, 0.0, spiking=False)
    return FloatNetwork(
        "input",
        (2,),
        1,
        (hidden, output),
        (
            FloatProjection("in", "input", "hidden", "dense", reals(weights)),
            FloatProjection("out", "hidden", "output", "dense", reals([[1.0, -0.5]])),
        ),
        "output",
    )


def test_a_dense_layer_becomes_the_integers_worked_by_hand() -> None:
    network, _ = quantize_network(graph())
    hidden = network.population("hidden")
    (projection,) = network.incoming("hidden")
    assert projection.connection.weights.tolist() == [[128, -254], [64, 0]]  # type: ignore[union-attr]
    assert int(hidden.threshold) == 203  # 0.8 * 254
    assert (int(hidden.current_decay), int(hidden.voltage_decay)) == (1024, 2048)
    assert hidden.bias_exponent == 0
    assert hidden.bias.tolist() == [1626, -3251]  # 0.1 and -0.2 times 254 * 64
    assert network.population("output").kind == "integrator"


def test_the_report_tells_what_rounding_did() -> None:
    _, (told, _) = quantize_network(graph(weights=((1.0, 0.001), (0.0, 0.0))))
    assert told.name == "in"
    assert told.scale == 254.0
    assert told.zeroed_weights == 1 and told.clipped_weights == 0
    assert told.weight_error == pytest.approx(0.254 / np.sqrt(254**2 + 0.254**2), rel=1e-3)
    assert told.threshold == 203
    assert told.threshold_error == pytest.approx(abs(203 / 203.2 - 1))


def test_two_projections_share_the_scale_and_keep_an_exponent_each() -> None:
    neurons = FloatPopulation("sum", (1,), reals([0.0]), 1.0)
    both = (
        FloatProjection("fine", "input", "sum", "dense", reals([[0.1, 0.05]])),
        FloatProjection("coarse", "input", "sum", "dense", reals([[1.0, -0.3]])),
    )
    network, _ = quantize_network(FloatNetwork("input", (2,), 1, (neurons,), both, "sum"))
    fine, coarse = network.projections
    assert (fine.weight_exponent, coarse.weight_exponent) == (0, 4)
    assert fine.connection.weights.tolist() == [[254, 128]]  # type: ignore[union-attr]
    assert coarse.connection.weights.tolist() == [[158, -48]]  # type: ignore[union-attr]


def test_convolutions_and_pools_keep_their_geometry() -> None:
    pooled = FloatPopulation("pooled", (2, 2, 2), np.zeros(2, np.float32), 0.9)
    conv = FloatPopulation("conv", (4, 1, 1), np.zeros(4, np.float32), 1.0)
    weights = np.random.default_rng(0).normal(size=(4, 1, 2, 2)).astype(np.float32)
    synapses = (
        FloatProjection(
            "pool", "input", "pooled", "sum_pool", reals([0.25]), (2, 2), kernel=(2, 2)
        ),
        FloatProjection("c", "pooled", "conv", "conv", weights, (2, 1), (0, 0), (1, 1), groups=2),
    )
    network, _ = quantize_network(
        FloatNetwork("input", (2, 4, 4), 1, (pooled, conv), synapses, "conv")
    )
    pool, convolution = (p.connection for p in network.projections)
    assert isinstance(pool, SumPool) and (pool.kernel, pool.weight) == ((2, 2), 254)
    assert isinstance(convolution, Conv) and (convolution.stride, convolution.groups) == ((2, 1), 2)
    assert not isinstance(pool, Dense)


def test_a_value_that_is_not_finite_is_refused_with_its_layer() -> None:
    with pytest.raises(NetworkError, match="in: 1 of 4 values are NaN or infinite"):
        quantize_network(graph(weights=((np.nan, 1.0), (0.0, 0.0))))
    with pytest.raises(NetworkError, match="hidden: 1 of 2 values"):
        quantize_network(graph(bias=(np.inf, 0.0)))


@pytest.mark.parametrize(
    ("bits", "expected"), [(8, [128, -254]), (5, [128, -240]), (4, [128, -224])]
)
def test_fewer_bits_leave_the_low_ones_zero(bits: int, expected: list[int]) -> None:
    first, second = graph().projections
    narrow = replace(graph(), projections=(replace(first, weight_bits=bits), second))
    network, (told, _) = quantize_network(narrow)
    connection = network.projections[0].connection
    assert isinstance(connection, Dense) and connection.weights[0].tolist() == expected
    assert stored_weight_bits(connection) <= bits and told.weight_bits == bits


def by_channel(weights: ArrayLike, threshold: float = 0.8) -> FloatNetwork:
    first, second = graph(weights).projections
    hidden, output = graph().populations
    hidden = replace(hidden, per_channel=True, threshold=threshold)
    return replace(graph(), populations=(hidden, output), projections=(first, second))


def test_each_channel_has_all_its_bits_and_a_threshold_of_its_own() -> None:
    network, _ = quantize_network(by_channel(((0.6, -1.0), (0.25, 0.0))))
    hidden, connection = network.population("hidden"), network.projections[0].connection
    assert isinstance(connection, Dense)
    assert connection.weights.tolist() == [[152, -254], [254, 0]]
    assert hidden.threshold.tolist() == [203, 812]  # below 0.8 times 254, and times 1016
    assert (hidden.bias.tolist(), hidden.bias_exponent) == ([406, -3248], 2)  # at 203 / 0.8, 1015


def test_a_channel_is_held_in_the_registers_of_threshold_and_bias() -> None:
    network, _ = quantize_network(by_channel(((1e-7, 0.0), (0.0, 0.0)), threshold=40.0))
    hidden = network.population("hidden")
    assert hidden.threshold.max() == 131070
    assert np.abs(hidden.bias).max() <= 4095 and hidden.bias_exponent <= 7


def test_what_no_channel_can_scale_is_refused() -> None:
    hidden, output = graph().populations
    with pytest.raises(NetworkError, match="output: cannot be quantized per channel"):
        quantize_network(replace(graph(), populations=(hidden, replace(output, per_channel=True))))


def test_an_all_zero_layer_stays_silent_and_is_no_error() -> None:
    network, _ = quantize_network(graph(weights=((0.0, 0.0), (0.0, 0.0))))
    assert not network.projections[0].connection.weights.any()  # type: ignore[union-attr]
