from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from pumice.convert.quantize.float_network import FloatNetwork, FloatPopulation, FloatProjection
from pumice.convert.quantize.quantize import quantize_network
from pumice.deploy.placement.synaptic_memory import stored_weight_bits
from pumice.runtime import Conv, Dense, SumPool
from pumice.runtime.errors import NetworkError


def float32(values: ArrayLike) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def make_network(
    weights: ArrayLike = ((0.5, -1.0), (0.25, 0.0)), bias: ArrayLike = (0.1, -0.2)
) -> FloatNetwork:
    hidden = FloatPopulation("hidden", (2,), float32(bias), 0.8, 0.25, 0.5)
    output = FloatPopulation("output", (1,), float32([0.0]), 0.0, 1.0, 0.0, spiking=False)
    return FloatNetwork(
        "input",
        (2,),
        1,
        (hidden, output),
        (
            FloatProjection("in", "input", "hidden", "dense", float32(weights)),
            FloatProjection("out", "hidden", "output", "dense", float32([[1.0, -0.5]])),
        ),
        "output",
    )


def test_dense_layer_by_hand() -> None:
    network, _ = quantize_network(make_network())
    hidden = network.population("hidden")
    (projection,) = network.incoming("hidden")
    assert projection.connection.weights.tolist() == [[128, -254], [64, 0]]  # type: ignore[union-attr]
    assert int(hidden.threshold) == 203  # 0.8 * 254
    assert (int(hidden.current_decay), int(hidden.voltage_decay)) == (1024, 2048)
    assert hidden.bias_exponent == 0
    assert hidden.bias.tolist() == [1626, -3251]  # 0.1 and -0.2 times 254 * 64
    assert network.population("output").kind == "integrator"


def test_errors_by_hand() -> None:
    _, (errors, _) = quantize_network(make_network(weights=((1.0, 0.001), (0.0, 0.0))))
    assert errors.name == "in"
    assert errors.scale == 254.0
    assert errors.zeroed_weights == 1 and errors.clipped_weights == 0
    assert errors.weight_error == pytest.approx(0.254 / np.sqrt(254**2 + 0.254**2), rel=1e-3)
    assert errors.threshold == 203
    assert errors.threshold_error == pytest.approx(abs(203 / 203.2 - 1))


def test_projections_share_a_scale_and_have_exponents_of_their_own() -> None:
    population = FloatPopulation("sum", (1,), float32([0.0]), 1.0)
    both = (
        FloatProjection("fine", "input", "sum", "dense", float32([[0.1, 0.05]])),
        FloatProjection("coarse", "input", "sum", "dense", float32([[1.0, -0.3]])),
    )
    network, _ = quantize_network(FloatNetwork("input", (2,), 1, (population,), both, "sum"))
    fine, coarse = network.projections
    assert (fine.weight_exponent, coarse.weight_exponent) == (0, 4)
    assert fine.connection.weights.tolist() == [[254, 128]]  # type: ignore[union-attr]
    assert coarse.connection.weights.tolist() == [[158, -48]]  # type: ignore[union-attr]


def test_conv_and_pool_keep_their_geometry() -> None:
    pooled = FloatPopulation("pooled", (2, 2, 2), np.zeros(2, np.float32), 0.9)
    conv = FloatPopulation("conv", (4, 1, 1), np.zeros(4, np.float32), 1.0)
    weights = np.random.default_rng(0).normal(size=(4, 1, 2, 2)).astype(np.float32)
    synapses = (
        FloatProjection(
            "pool", "input", "pooled", "sum_pool", float32([0.25]), (2, 2), kernel=(2, 2)
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


def test_non_finite_values_are_errors_that_name_the_layer() -> None:
    with pytest.raises(NetworkError, match="in: 1 of 4 values are NaN or infinite"):
        quantize_network(make_network(weights=((np.nan, 1.0), (0.0, 0.0))))
    with pytest.raises(NetworkError, match="hidden: 1 of 2 values"):
        quantize_network(make_network(bias=(np.inf, 0.0)))


@pytest.mark.parametrize(
    ("bits", "expected"), [(8, [128, -254]), (5, [128, -240]), (4, [128, -224])]
)
def test_fewer_bits_zero_the_low_ones(bits: int, expected: list[int]) -> None:
    first, second = make_network().projections
    narrow = replace(make_network(), projections=(replace(first, weight_bits=bits), second))
    network, (errors, _) = quantize_network(narrow)
    connection = network.projections[0].connection
    assert isinstance(connection, Dense) and connection.weights[0].tolist() == expected
    assert stored_weight_bits(connection) <= bits and errors.weight_bits == bits


def make_per_channel(weights: ArrayLike, threshold: float = 0.8) -> FloatNetwork:
    first, second = make_network(weights).projections
    hidden, output = make_network().populations
    hidden = replace(hidden, per_channel=True, threshold=threshold)
    return replace(make_network(), populations=(hidden, output), projections=(first, second))


def test_each_channel_uses_all_bits_and_has_its_own_threshold() -> None:
    network, _ = quantize_network(make_per_channel(((0.6, -1.0), (0.25, 0.0))))
    hidden, connection = network.population("hidden"), network.projections[0].connection
    assert isinstance(connection, Dense)
    assert connection.weights.tolist() == [[152, -254], [254, 0]]
    assert hidden.threshold.tolist() == [203, 812]  # below 0.8 times 254, and times 1016
    assert (hidden.bias.tolist(), hidden.bias_exponent) == ([406, -3248], 2)  # at 203 / 0.8, 1015


def test_channel_scale_is_limited_by_threshold_and_bias_registers() -> None:
    network, _ = quantize_network(make_per_channel(((1e-7, 0.0), (0.0, 0.0)), threshold=40.0))
    hidden = network.population("hidden")
    assert hidden.threshold.max() == 131070
    assert np.abs(hidden.bias).max() <= 4095 and hidden.bias_exponent <= 7


def test_read_outs_cannot_be_quantized_per_channel() -> None:
    hidden, output = make_network().populations
    with pytest.raises(NetworkError, match="output: cannot be quantized per channel"):
        quantize_network(
            replace(make_network(), populations=(hidden, replace(output, per_channel=True)))
        )


def test_all_zero_layer_is_no_error() -> None:
    network, _ = quantize_network(make_network(weights=((0.0, 0.0), (0.0, 0.0))))
    assert not network.projections[0].connection.weights.any()  # type: ignore[union-attr]
