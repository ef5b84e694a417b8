import numpy as np
import pytest
import torch

from pumice.convert.quantize import scales as rounding


def test_weights_round_to_the_nearest_even_integer_and_stop_at_the_ends() -> None:
    weights = np.array([0.0, 0.5, 1.1, -2.9, 3.1, 127.2, -400.0], np.float32)
    assert rounding.quantize_weights(weights, 2.0, 0).tolist() == [0, 0, 2, -6, 6, 254, -254]
    assert rounding.quantize_weights(weights, 2.0, 1).tolist() == [0, 0, 2, -2, 4, 128, -254]


def test_numpy_and_torch_round_alike() -> None:
    weights = np.random.default_rng(0).normal(size=10_000).astype(np.float32)
    for scale, exponent in [(63.7, 0), (1000.1, 3), (0.77, 0)]:
        whole = rounding.quantize_weights(weights, scale, exponent)
        tensor = rounding.quantize_weights(torch.from_numpy(weights), scale, exponent)
        assert np.array_equal(whole, tensor.numpy())
        bias = rounding.quantize_bias(torch.from_numpy(weights), scale, exponent)
        assert np.array_equal(rounding.quantize_bias(weights, scale, exponent), bias.numpy())


def test_the_scale_gives_the_smallest_weights_all_their_bits_unless_a_register_ends() -> None:
    assert rounding.population_scale([0.5, 2.0], threshold=1.0) == 254 / 0.5
    assert rounding.population_scale([1e-6], threshold=1.0) == 131071
    assert rounding.population_scale([1e-6, 1.0], threshold=0.0) == 254 * 128
    zeros = rounding.max_abs(np.zeros(3, np.float32))
    assert rounding.population_scale([zeros, 2.0], threshold=0.0) == 127
    assert rounding.population_scale([zeros], threshold=0.0) == 254


@pytest.mark.parametrize(("peak", "exponent"), [(1.0, 0), (2.0, 1), (2.1, 2), (1000.0, 7)])
def test_the_weight_exponent_is_the_smallest_that_fits(peak: float, exponent: int) -> None:
    assert rounding.weight_exponent(peak, 254.0) == exponent


def test_biases_use_the_smallest_exponent_that_holds_them() -> None:
    assert rounding.bias_exponent(4095 / 64, 1.0) == 0
    assert rounding.bias_exponent(4096 / 64, 1.0) == 1
    assert rounding.bias_exponent(1e9, 1.0) == 7
    assert rounding.quantize_bias(np.array([1.0, -2.0], np.float32), 2.0, 2).tolist() == [32, -64]


def test_thresholds_and_decays_stay_in_their_registers() -> None:
    assert rounding.quantize_threshold(0.5, 254.9) == 127
    assert rounding.quantize_threshold(1e9, 254.0) == 131071
    assert [rounding.quantize_decay(d) for d in (0.0, 0.5, 1.0)] == [0, 2048, 4096]
    assert rounding.quantize_decay(np.array([0.0, 0.3])).tolist() == [0, 1229]


def test_an_integrator_that_gets_far_has_coarser_weights_so_that_its_state_holds_it() -> None:
    # 1.5 * 1000 real units fill 17 bits at 131071 / 1500; 254 / 0.5 would be finest
    assert rounding.population_scale([0.5], 0.0, max_abs_voltage=1000.0) == 131071 / 1500
    assert rounding.population_scale([0.5], 0.0, max_abs_voltage=100.0) == 254 / 0.5
