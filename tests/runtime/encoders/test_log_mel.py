"""The log-mel filter bank in integers: numbers worked by hand, an independent oracle, causality."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from encoders import make_log_mel
from numpy.typing import NDArray

from pumice.runtime.encoders import LogMel
from pumice.runtime.encoders.fixed_fft import power_spectrum
from pumice.runtime.encoders.log_mel import (
    LOG2_TABLE,
    band_energies,
    encode_waveforms,
    log2_levels,
    quantize_levels,
    references,
)
from pumice.runtime.errors import NetworkError

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.normal(0, 3000, (3, 2000)).astype(np.int16)


def encode_plainly(encoder: LogMel, waveform: list[int], timesteps: int) -> NDArray[np.uint8]:
    """Steps 1 to 6 of the module's docstring on Python's integers, one sample."""
    span, size = len(encoder.window), encoder.fft_size
    values = np.zeros((timesteps, 1, encoder.bands, encoder.windows), np.uint8)
    peak = encoder.peak_floor
    for k in range(timesteps * encoder.windows):
        end = encoder.hop * (k + 1)
        covered = [waveform[n] if 0 <= n < len(waveform) else 0 for n in range(end - span, end)]
        x = [(a * int(b) + 2048) >> 12 for a, b in zip(covered, encoder.window, strict=True)]
        x += [0] * (size - span)
        power = power_spectrum(np.array([x]), encoder.sine)[0].tolist()
        energies = [0] * encoder.bands
        for s in range(encoder.bands + 1):
            for number in range(encoder.edges[s], encoder.edges[s + 1]):
                weight = int(encoder.weight[number - encoder.edges[0]])
                if s < encoder.bands:
                    energies[s] += power[number] * weight
                if s:
                    energies[s - 1] += power[number] * (256 - weight)
        levels = []
        for energy in energies:
            exponent = max(1, energy).bit_length() - 1
            mantissa = ((max(1, energy) << 8) >> exponent) & 255
            levels.append(256 * exponent + int(LOG2_TABLE[mantissa]))
        reference = 0
        if encoder.peak_decay >= 0:
            peak = reference = max(peak - encoder.peak_decay, encoder.peak_floor, *levels)
        for band, level in enumerate(levels):
            value = (level - reference) * int(encoder.scale[band]) + int(encoder.offset[band])
            clipped = min(max(value >> 16, 0), encoder.max_value)
            values[k // encoder.windows, 0, band, k % encoder.windows] = clipped
    return values


def test_logarithms_are_those_worked_by_hand() -> None:
    # 3 = 2^1 (1 + 128/256): 256 + round(149.75); 1000 = 2^9 (1 + 244/256): 2304 + 247
    energies = np.array([0, 1, 2, 3, 255, 256, 1000, 2**62])
    assert log2_levels(energies).tolist() == [0, 0, 256, 406, 2047, 2048, 2551, 15872]
    exact = 256 * np.log2(1 + np.arange(256) / 256)
    assert np.abs(LOG2_TABLE - exact).max() <= 0.5


def test_energies_are_those_worked_by_hand() -> None:
    encoder = make_log_mel(bands=2, size=16, edges=[1, 2, 4, 5], weight=[64, 0, 128, 0])
    power = np.array([[9, 1, 10, 100, 1000, 9, 9, 9, 9]])
    # band 0 rises in bin 1 and falls in bins 2 and 3; band 1 rises there and falls in bin 4
    assert band_energies(encoder, power).tolist() == [
        [64 * 1 + 256 * 10 + 128 * 100, 0 * 10 + 128 * 100 + 256 * 1000]
    ]


def test_values_are_those_worked_by_hand() -> None:
    encoder = make_log_mel(bands=3, scale=[6554, -1, 1 << 16], offset=[1 << 15, 0, -65536 * 7])
    levels = np.array([[100, 100, 100], [-100, 100, 5], [5, -65536, 400]])
    # 100 * 6554 + 32768 = 688168 = 10.5 * 65536; -1 * 100 >> 16 = -1 is clipped
    assert quantize_levels(encoder, levels).tolist() == [[10, 0, 93], [0, 0, 0], [1, 1, 255]]


def test_the_reference_follows_the_loudest_band_and_decays() -> None:
    encoder = make_log_mel(bands=2, peak_decay=10, peak_floor=50)
    levels = np.array([[[20, 30], [100, 80], [85, 95], [0, 0], [0, 0], [0, 0], [0, 0]]])
    assert references(encoder, levels).tolist() == [[50, 100, 95, 85, 75, 65, 55]]
    assert references(encoder, levels, 200).tolist() == [[190, 180, 170, 160, 150, 140, 130]]
    assert not references(replace(encoder, peak_decay=-1), levels).any()


@pytest.mark.parametrize("peak_decay", [-1, 0, 20])
@pytest.mark.parametrize("bits", [4, 8])
def test_values_equal_those_of_an_independent_implementation(peak_decay: int, bits: int) -> None:
    encoder = make_log_mel(bands=9, peak_decay=peak_decay, value_bits=bits, windows=3)
    loud = NOISE.copy()
    loud[1] = np.where(RANDOM.random(2000) < 0.5, -32768, 32767)
    loud[2, :900] = 0
    encoded = encode_waveforms(encoder, loud, 12)  # longer than the waveform
    assert 0 < encoded.mean() < encoder.max_value
    for sample in range(3):
        plain = encode_plainly(encoder, loud[sample].tolist(), 12)
        assert np.array_equal(encoded[:, sample], plain)


def test_the_values_of_a_sawtooth_are_pinned() -> None:
    sawtooth = (np.arange(1600) * 997 % 16000 - 8000).astype(np.int16)
    encoded = encode_waveforms(make_log_mel(bands=9, windows=3), sawtooth[None], 4)
    digest = hashlib.sha256(encoded.tobytes()).hexdigest()
    assert encoded.sum() == 9397 and digest[:16] == "979c71fcacf3a22b"


def test_a_timestep_depends_on_no_later_sample() -> None:
    encoder = make_log_mel(bands=9, windows=2, peak_decay=5)
    changed = NOISE.copy()
    changed[:, 3 * encoder.input_size :] //= 2
    before, after = (encode_waveforms(encoder, each, 6) for each in (NOISE, changed))
    assert np.array_equal(before[:3], after[:3]) and not np.array_equal(before[3], after[3])


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"hop": 300}, "a window of 50, needs hop = 300 to N = 64"),
    ({"value_bits": 9}, "value_bits is 9, needs 1 to 8"),
    ({"sine": [0, 1, 2]}, "a sine table of 3, needs 3 N / 4"),
    ({"sine": [0] * 48 + [20000]}, "a sine is above 1"),
    ({"offset": [0]}, "9 scales, 1 offsets and 11 edges"),
    ({"edges": [3, 2, *range(4, 13)]}, "edges must ascend"),
    ({"weight": [0]}, "1 weights, needs one for each of"),
    ({"scale": [1 << 30] * 9}, "could leave 32 bits"),
    ({"window": [[1, 2]]}, "several axes"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_a_table_that_does_not_fit_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NetworkError, match=message):
        replace(make_log_mel(bands=9), **changes)
