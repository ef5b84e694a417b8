"""The FFT in fixed point: numbers worked by hand, the exact transform, and its registers."""

import numpy as np
import pytest

from pumice.runtime.encoders.fixed_fft import INPUT_LIMIT, power_shift, power_spectrum, sine_table


def spectrum(sequence: list[int]) -> list[int]:
    row: list[int] = power_spectrum(np.array([sequence]), sine_table(len(sequence)))[0].tolist()
    return row


def test_an_impulse_has_the_power_that_is_worked_by_hand() -> None:
    assert spectrum([1000, 0, 0, 0, 0, 0, 0, 0]) == [4_000_000] * 5
    # one sample later: 2X[1] = (1414, -1414), since round14(11585 * 2000) = 1414 and
    # round14(-11585 * 2000) = floor(-1413.68) = -1414; 2X[2] = (0, -2000)
    turned = [4_000_000, 2 * 1414**2, 4_000_000, 2 * 1414**2, 4_000_000]
    assert spectrum([0, 1000, 0, 0, 0, 0, 0, 0]) == turned


def test_a_product_is_rounded_down_from_the_half() -> None:
    # N = 8, x[3] = 1: Z = (i, -1, -i, 1) of z = (0, i, 0, 0); 2X[1] = round14(-11585 * 2, ...)
    assert spectrum([0, 0, 0, 1, 0, 0, 0, 0]) == [4, 2, 4, 2, 4]
    assert spectrum([0, 0, 0, 0, 0, 0, 0, 0]) == [0] * 5


def test_the_sine_table_ends_at_three_quarters() -> None:
    assert sine_table(8).tolist() == [0, 11585, 16384, 11585, 0, -11585, -16384]


@pytest.mark.parametrize("size", [8, 64, 256, 512, 2048])
def test_the_power_is_close_to_that_of_the_exact_transform(size: int) -> None:
    sequences = np.random.default_rng(size).integers(-INPUT_LIMIT, INPUT_LIMIT + 1, (20, size))
    power = power_spectrum(sequences, sine_table(size))
    exact = np.abs(2 * np.fft.rfft(sequences)) ** 2 / 2 ** power_shift(size)
    assert np.abs(power - exact).max() < 1e-4 * exact.max()


@pytest.mark.parametrize("size", [8, 256, 2048])
def test_no_sequence_leaves_the_registers(size: int) -> None:
    generator = np.random.default_rng(0)
    k = np.arange(size)
    tones = [np.where(np.cos(2 * np.pi * f * k / size) < 0, -1, 1) for f in range(size // 2 + 1)]
    signs = np.array(tones + list(generator.choice([-1, 1], (50, size))))
    power = power_spectrum(signs * INPUT_LIMIT, sine_table(size))
    assert power.min() >= 0 and power.sum(axis=1).max() <= 2**54
    assert (power.max() << power_shift(size)) <= 2 * (2**31 - 1) ** 2
