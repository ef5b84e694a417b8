import numpy as np
import pytest
import torch

from pumice.convert.quantize import scales as scales


def test_weights_round_to_even_integers_and_clip() -> None:
    weights = np.array([0.0, 0.5, 1.1, -2.9, 3.1, 127.2, -400.0], np.float32)
    assert scales.quantize_weights(weights, 2.0, 0).tolist() == [0, 0, 2, -6, 6, 254, -254]
    assert scales.quantize_weights(weights, 2.0, 1).tolist() == [0, 0, 2, -2, 4, 128, -254]


def test_numpy_and_torch_round_to_the_same_integers() -> None:
    weights = np.random.default_rng(0).normal(size=10_000).astype(np.float32)
    for scale, exponent in [(63.7, 0), (1000.1, 3), (0.77, 0)]:
        integers = scales.quantize_weights(weights, scale, exponent)
        tensor = scales.quantize_weights(torch.from_numpy(weights), scale, exponent)
        assert np.array_equal(integers, tensor.numpy())
        bias = scales.quantize_bias(torch.from_numpy(weights), scale, exponent)
        assert np.array_equal(scales.quantize_bias(weights, scale, exponent), bias.numpy())


def test_scale_uses_all_bits_of_the_smallest_weights_within_the_registers() -> None:
    assert scales.population_scale([0.5, 2.0], threshold=1.0) == 254 / 0.5
    # a current of 24 bits holds 16 thresholds of 131071 / 16, and 254 million / 2^15 is below
    assert scales.population_scale([1e-6], threshold=1.0) == 254e6 / 2**15
    assert scales.population_scale([1e-6], threshold=1.0, headroom=1.0) == 254e6 / 2**11
    assert scales.population_scale([1e-6], 1.0, one_sign=True, headroom=1.0) == 131071
    # a bias of 4095 * 2^7 / 64 units: 81.9 units, and 508 / 2^3 is below
    assert scales.population_scale([0.5], threshold=1.0, max_abs_bias=100.0) == 508 / 8
    assert scales.population_scale([1e-6, 1.0], threshold=0.0) == 254 * 128
    zeros = scales.max_abs(np.zeros(3, np.float32))
    assert scales.population_scale([zeros, 2.0], threshold=0.0) == 127
    assert scales.population_scale([zeros], threshold=0.0) == 254


@pytest.mark.parametrize(("peak", "exponent"), [(1.0, 0), (2.0, 1), (2.1, 2), (1000.0, 7)])
def test_weight_exponent_is_the_smallest_that_fits(peak: float, exponent: int) -> None:
    assert scales.weight_exponent(peak, 254.0) == exponent


@pytest.mark.parametrize(
    ("sums", "scale", "exponent"),
    [
        (scales.WeightSums(1.0, 9.0, 9, 255), 254.0, 0),
        (scales.WeightSums(2.1, 9.0, 9, 255), 254.0, 2),
        (scales.WeightSums(1.0, 9.0, 9, 255), 63.5, -2),
        (scales.WeightSums(1.0, 9.0, 9, 255), 0.5, -8),
        (scales.WeightSums(1e-3, 9e-3, 9, 255), 8191.0, -4),  # 131; twice as much leaves 8 bits
        (scales.WeightSums(1.0, 256.0, 257, 255), 63.5, -1),  # the sum leaves 24 bits at -2
        (scales.WeightSums(scales.MIN_NORMAL, 0.0, 9, 255), 254.0, 0),
    ],
)
def test_sums_are_divided_where_weights_keep_more_bits(
    sums: scales.WeightSums, scale: float, exponent: int
) -> None:
    assert scales.fine_weight_exponent(sums, scale) == exponent


def test_bias_exponent_is_the_smallest_that_fits() -> None:
    assert scales.bias_exponent(4095 / 64, 1.0) == 0
    assert scales.bias_exponent(4096 / 64, 1.0) == 1
    assert scales.bias_exponent(1e9, 1.0) == 7
    assert scales.quantize_bias(np.array([1.0, -2.0], np.float32), 2.0, 2).tolist() == [32, -64]


def test_thresholds_and_decays_fit_their_registers() -> None:
    assert scales.quantize_threshold(0.5, 254.9) == 127
    assert scales.quantize_threshold(1e9, 254.0) == 131071
    assert [scales.quantize_decay(d) for d in (0.0, 0.5, 1.0)] == [0, 2048, 4096]
    assert scales.quantize_decay(np.array([0.0, 0.3])).tolist() == [0, 1229]


def test_scale_of_an_integrator_is_limited_by_its_largest_voltage() -> None:
    # 1.5 * 1000 real units fill 17 bits at 131071 / 1500, 87.4; 254 / 0.5 would be finest
    assert scales.population_scale([0.5], 0.0, max_abs_voltage=1000.0) == 254 / 0.5 / 8
    assert scales.population_scale([0.5], 0.0, max_abs_voltage=100.0) == 254 / 0.5


def test_weights_of_one_sign_use_every_integer_up_to_255() -> None:
    assert (scales.max_weight(8, one_sign=True), scales.weight_lsb(8, one_sign=True)) == (255, 1)
    assert scales.population_scale([0.5, 2.0], threshold=1.0, one_sign=True) == 255 / 0.5
    weights = np.array([0.1, 0.26, 0.5, -0.5, 9.0], np.float32)
    integers = scales.quantize_weights(weights, 510.0, 0, one_sign=True)
    assert integers.tolist() == [51, 133, 255, -255, 255]


@pytest.mark.parametrize("one_sign", [False, True])
def test_the_largest_weight_at_its_own_scale_needs_no_exponent(one_sign: bool) -> None:
    for peak in np.random.default_rng(0).gamma(2.0, size=1000).astype(np.float32):
        scale = scales.population_scale([float(peak)], 0.0, one_sign=one_sign)
        assert scales.weight_exponent(float(peak), scale, one_sign=one_sign) == 0
