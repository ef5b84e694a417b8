"""Design of a log-mel filter bank in integers (`runtime.encoders.LogMel`).

The power spectrum of Hann windows is summed by triangular filters from 80 Hz to half the sample
rate, evenly spaced on the mel scale m = 2595 log10(1 + f / 700) (HTK).
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ....runtime.encoders.fixed_fft import MAX_SIZE, sine_table
from ....runtime.encoders.log_mel import (
    LEVEL_ONE,
    MAX_LEVEL,
    VALUE_SHIFT,
    WEIGHT_ONE,
    LogMel,
    compute_levels,
    references,
)
from ....runtime.errors import DataError
from ..audio_options import AudioOptions

LOWEST_HZ = 80.0
RANGE = 2.0  # standard deviations to either side of the mean that values cover
MIN_DEVIATION = LEVEL_ONE / 8  # of a band's level
Levels = NDArray[np.int64]  # (windows, bands)


def design_log_mel(
    rate: int, bands: int, windows: int, value_bits: int, audio: AudioOptions
) -> LogMel:
    """Design a filter bank of `bands` bands, with a scale and an offset that are not fitted yet.

    Args:
        rate: Waveform samples per second.
        bands: Number of bands.
        windows: Windows of a timestep.
        value_bits: Bits of a value.
        audio: Length and distance of the windows, and the reference of the levels.

    Raises:
        DataError: The rate is too high for the FFT, or a band would hold no frequency.
    """
    hop, span = rate * audio.hop_ms // 1000, rate * audio.window_ms // 1000
    size = 1 << (span - 1).bit_length()
    if not 8 <= size <= MAX_SIZE:
        raise DataError(f"audio of {rate} Hz: a window has {span} samples, needs 5 to {MAX_SIZE}")
    edges, weight = _mel_filters(rate, bands, size)
    if (edges[2:] == edges[:-2]).any():
        raise DataError(
            f"{bands} bands: one would hold no frequency of an FFT of {size} at {rate} Hz; use "
            "fewer, or a larger window_ms"
        )
    decay = round(audio.peak_decay * LEVEL_ONE * audio.hop_ms / 1000)
    window = np.rint(np.hanning(span + 2)[1:-1] * 32767).astype(np.int16)
    unfitted = np.zeros(bands, np.int32)
    return LogMel(
        rate, hop, windows, window, sine_table(size), edges, weight, unfitted, unfitted,
        decay if audio.reference == "peak" else -1,
        value_bits=value_bits,
    )  # fmt: skip


def _mel_filters(rate: int, bands: int, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First bins of the segments between the filters' edges, and the weights of their bins."""

    def to_mel(frequency: float) -> float:
        return float(2595 * np.log10(1 + frequency / 700))

    mel = np.linspace(to_mel(LOWEST_HZ), to_mel(rate / 2), bands + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    first = np.ceil(edges * size / rate).astype(np.int64)
    bins = np.arange(first[0], first[-1])
    segment = np.searchsorted(first, bins, side="right") - 1
    rising = (bins * rate / size - edges[segment]) / (edges[segment + 1] - edges[segment])
    return first, np.rint(rising * WEIGHT_ONE).clip(0, WEIGHT_ONE - 1).astype(np.int64)


def relative_levels(encoder: LogMel, waveform: NDArray[np.int16], windows: int) -> Levels:
    """Levels of the windows that a waveform fills, relative to the reference, at most `windows`."""
    count = max(1, min(windows, len(waveform) // encoder.hop))
    levels = compute_levels(encoder, waveform[None], count)
    relative: Levels = (levels - references(encoder, levels)[..., None])[0]
    return relative


def fit_log_mel(encoder: LogMel, parts: Iterable[Levels | Exception], who: str) -> LogMel:
    """Fit scale and offset so that values cover 2 standard deviations around the mean of a band.

    Errors among `parts` are left out. Raises `DataError` where nothing is left.
    """
    count, total, squares = 0, np.zeros(encoder.bands), np.zeros(encoder.bands)
    for part in parts:
        if isinstance(part, DataError):
            continue  # counted where its frames are decoded
        if isinstance(part, Exception):
            raise part
        heard = part.clip(-MAX_LEVEL // 4)  # digital silence has no level
        count += len(heard)
        total += heard.sum(axis=0)
        squares += np.square(heard.astype(np.float64)).sum(axis=0)
    if not count:
        raise DataError(f"{who}: no training file can be read")
    mean = total / count
    std = np.sqrt((squares / count - mean**2).clip(MIN_DEVIATION**2))
    scale = encoder.max_value / (2 * RANGE * std)
    offset = scale * (RANGE * std - mean) + 0.5
    one = 1 << VALUE_SHIFT
    return replace(
        encoder,
        scale=np.rint(scale * one).astype(np.int64),
        offset=np.rint(offset * one).astype(np.int64),
    )
