from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from pumice.convert.quantize.float_network import FloatNetwork, FloatPopulation, FloatProjection
from pumice.convert.quantize.quantization_errors import list_lost_parameters
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
    assert 4095 <= hidden.threshold.max() <= 8191  # a current holds 16 of them
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


def with_neurons(**changes: Any) -> FloatNetwork:
    network = make_network()
    hidden = replace(network.populations[0], **changes)
    return replace(network, populations=(hidden, network.populations[1]))


def test_resets_are_rounded_at_the_scale_of_the_threshold() -> None:
    # 254 weight units a float unit: 0.8 is 203.2, 0.3 is 76.2, 1.0 is 254.
    soft = with_neurons(reset="subtract", reset_value=0.8, max_spikes=5, min_voltage=-1.0)
    hidden = quantize_network(soft)[0].population("hidden")
    assert (hidden.reset, int(hidden.threshold), int(hidden.reset_value)) == ("subtract", 203, 203)
    assert (hidden.max_spikes, int(hidden.min_voltage)) == (5, -254)
    value = with_neurons(reset="value", reset_value=-0.3, refractory=3)
    hidden = quantize_network(value)[0].population("hidden")
    assert (int(hidden.reset_value), hidden.refractory) == (-76, 3)
    assert int(hidden.min_voltage) == -131072


def test_spikes_of_a_timestep_are_limited_to_what_sums_hold() -> None:
    """The read-out: 254 + 128 of magnitude; its activation may reach 2^23 - 1."""
    soft = with_neurons(reset="subtract", reset_value=0.8, max_spikes=255)
    assert quantize_network(soft)[0].population("hidden").max_spikes == 255
    wide = np.ones((1, 400), np.float32)
    hidden = replace(soft.populations[0], shape=(400,), bias=float32([0.0] * 400))
    projections = (
        replace(soft.projections[0], weights=np.ones((400, 2), np.float32)),
        replace(soft.projections[1], weights=wide),
    )
    network = replace(soft, populations=(hidden, soft.populations[1]), projections=projections)
    limited = quantize_network(network)[0].population("hidden").max_spikes
    assert limited == (2**23 - 1) // (400 * 254) == 82


def test_parameters_that_rounding_loses_are_listed() -> None:
    def lost(**changes: Any) -> dict[str, list[str]]:
        network = with_neurons(**changes)
        return list_lost_parameters(network, quantize_network(network)[0])

    assert lost() == {}
    assert lost(voltage_decay=0.0, current_decay=1.0) == {}
    assert lost(voltage_decay=1e-4) == {
        "hidden": ["its voltage_decay of 0.0001 rounds to 0 of 4096: it never decays"]
    }
    assert lost(current_decay=np.array([0.5, 0.9999])) == {
        "hidden": ["its current_decay of 0.9999 rounds to 4096 of 4096: nothing is kept"]
    }
    assert lost(bias=float32([1e-5, -2e-5])) == {
        "hidden": ["its biases of up to 2e-05 round to zero"]
    }
    assert lost(threshold=0.001) == {"hidden": ["its threshold of 0.001 rounds to zero"]}
