"""Log-mel filter bank in integers: from a waveform to the values that a network takes.

The waveform is int16, one channel. All window positions are causal: window k ends with sample
`hop` (k + 1), and samples before the start are 0. A timestep holds `windows` consecutive windows.
For each window, with N the size of the FFT (`>>` rounds down):

1. x[n] = (waveform[n] * window[n] + 2048) >> 12 for the samples of the window, then zeros up to N.
2. P[k] is the power spectrum of x, as `fixed_fft` defines it.
3. Bin k of segment s, `edges[s]` <= k < `edges[s + 1]`, adds P[k] * weight[k] to the energy of band
   s, and P[k] * (256 - weight[k]) to that of band s - 1, where there are such bands.
4. The level of a band is log2 of its energy E (at least 1), in 1/256: 256 e + T[m], where e is the
   position of the highest bit of E, m the 8 bits below it (zeros where there are fewer), and
   T[m] = 256 log2(1 + m / 256), rounded, at most 255.
5. The reference R is 0; or, with `peak_decay` d >= 0, it starts at `peak_floor` and becomes
   max(R - d, `peak_floor`, largest level of all bands).
6. The value of band b is ((level - R) * scale[b] + offset[b]) >> 16, clipped to 0 and
   2^`value_bits` - 1.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import ValueEquality, as_int, as_readonly
from ..errors import NetworkError
from .fixed_fft import MAX_SIZE, power_spectrum

WINDOW_SHIFT = 12
WEIGHT_ONE = 256  # of a filter
LEVEL_ONE = 256  # levels are in 1/256 octaves of the energy
MAX_LEVEL = 63 * LEVEL_ONE
VALUE_SHIFT = 16
# 256 log2(1 + m / 256), rounded, by integers alone: 512 log2(256 + m) = log2((256 + m)^512).
LOG2_TABLE = np.array(
    [min(255, (((256 + m) ** 512).bit_length() - 512 * 8) // 2) for m in range(256)], np.uint8
)
Waveforms = NDArray[np.int16]  # (samples, length)
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LogMel(ValueEquality):
    """Log-mel filter bank of a waveform, int16 at `sample_rate`; the steps are in the module.

    Attributes:
        sample_rate: Waveform samples per second.
        hop: Samples from one window to the next.
        windows: Windows of a timestep.
        window: Factors of a window's samples, in 1/32768, int16 (length,).
        sine: Sine table of the FFT, int16 (3 N / 4 + 1,).
        edges: First bin of each segment of the filters, and the end of the last, (bands + 2,).
        weight: Of each bin from `edges[0]` on, 0 to 255, in 1/256 of the band that it rises into.
        scale: Factor of each band's level, (bands,).
        offset: Added to the product, (bands,).
        peak_decay: Decay of the reference per window, in 1/256 octaves; -1 for no reference.
        peak_floor: Lowest reference.
        value_bits: Bits of a value, 1 to 8.

    Raises:
        NetworkError: A size does not fit another, or a number could leave its register.
    """

    kind: ClassVar[str] = "log-mel"

    sample_rate: int
    hop: int
    windows: int
    window: Any
    sine: Any
    edges: Any
    weight: Any
    scale: Any
    offset: Any
    peak_decay: int = -1
    peak_floor: int = 0
    value_bits: int = 8

    def __post_init__(self) -> None:
        for name, low, high in (
            ("sample_rate", 1, 1 << 20),
            ("hop", 1, 1 << 15),
            ("windows", 1, 1 << 10),
            ("peak_decay", -1, MAX_LEVEL),
            ("peak_floor", 0, MAX_LEVEL),
            ("value_bits", 1, 8),
        ):
            value = as_int(getattr(self, name), f"log-mel: {name}")
            if not low <= value <= high:
                raise NetworkError(f"log-mel: {name} is {value}, needs {low} to {high}")
            object.__setattr__(self, name, value)
        for name, dtype in (
            ("window", np.int16),
            ("sine", np.int16),
            ("edges", np.int16),
            ("weight", np.uint8),
            ("scale", np.int32),
            ("offset", np.int32),
        ):
            array = as_readonly(getattr(self, name), dtype, f"log-mel: {name}")
            object.__setattr__(self, name, array)
        _check_sizes(self)

    @property
    def bands(self) -> int:
        """Number of bands."""
        return len(self.scale)

    @property
    def fft_size(self) -> int:
        """N, the size of the FFT."""
        return 4 * (len(self.sine) - 1) // 3

    @property
    def input_size(self) -> int:
        """Waveform samples of a timestep."""
        return self.hop * self.windows

    @property
    def output_shape(self) -> tuple[int, int, int]:
        """Shape of a timestep's values, (1, bands, windows)."""
        return 1, self.bands, self.windows

    @property
    def history(self) -> int:
        """Samples before a timestep that its first window covers."""
        return max(0, len(self.window) - self.hop)

    @property
    def max_value(self) -> int:
        """Largest value."""
        return int((1 << self.value_bits) - 1)


def _check_sizes(encoder: LogMel) -> None:
    size, bands = encoder.fft_size, len(encoder.scale)
    arrays = (encoder.window, encoder.sine, encoder.edges, encoder.weight, encoder.scale)
    if any(array.ndim != 1 or not len(array) for array in (*arrays, encoder.offset)):
        raise NetworkError("log-mel: a table is empty or has several axes, needs one")
    if size & (size - 1) or not 8 <= size <= MAX_SIZE or len(encoder.sine) != 3 * size // 4 + 1:
        raise NetworkError(
            f"log-mel: a sine table of {len(encoder.sine)}, needs 3 N / 4 + 1 for a power of two N "
            f"up to {MAX_SIZE}"
        )
    if np.abs(encoder.sine.astype(np.int64)).max() > 1 << 14:
        raise NetworkError("log-mel: a sine is above 1, needs 1/16384 units")
    if not encoder.hop <= len(encoder.window) <= size:
        raise NetworkError(
            f"log-mel: a window of {len(encoder.window)}, needs hop = {encoder.hop} to N = {size}"
        )
    edges = encoder.edges
    if len(encoder.offset) != bands or len(edges) != bands + 2:
        raise NetworkError(
            f"log-mel: {bands} scales, {len(encoder.offset)} offsets and {len(edges)} edges; needs "
            "as many offsets as scales, and two more edges"
        )
    if edges[0] < 0 or edges[-1] > size // 2 + 1 or (np.diff(edges) < 0).any():
        raise NetworkError(f"log-mel: edges must ascend from 0 to at most {size // 2 + 1}")
    if len(encoder.weight) != edges[-1] - edges[0]:
        raise NetworkError(
            f"log-mel: {len(encoder.weight)} weights, needs one for each of "
            f"{edges[-1] - edges[0]} bins"
        )
    reach = MAX_LEVEL * np.abs(encoder.scale.astype(np.int64)) + np.abs(encoder.offset)
    if reach.max() >= 1 << 31:
        raise NetworkError("log-mel: a scale or an offset could leave 32 bits; use smaller ones")


def encode_waveforms(encoder: LogMel, waveforms: Waveforms, timesteps: int) -> NDArray[np.uint8]:
    """Values of waveforms (samples, length), uint8 (timesteps, samples, 1, bands, windows).

    Longer waveforms are cut, shorter ones padded with zeros.
    """
    levels = compute_levels(encoder, waveforms, timesteps * encoder.windows)
    values = quantize_levels(encoder, levels - references(encoder, levels)[..., None])
    shape = len(waveforms), timesteps, encoder.windows, encoder.bands
    return np.ascontiguousarray(values.reshape(shape).transpose(1, 0, 3, 2)[:, :, None])


def compute_levels(encoder: LogMel, waveforms: Waveforms, windows: int) -> Integers:
    """Levels of the first `windows` windows, int64 (samples, windows, bands); steps 1 to 4."""
    length = windows * encoder.hop
    cut = waveforms[:, :length]
    before = len(encoder.window) - encoder.hop
    padded = np.pad(cut, ((0, 0), (before, length - cut.shape[1])))
    return window_levels(encoder, padded)


def window_levels(encoder: LogMel, padded: Waveforms) -> Integers:
    """Levels of all windows of waveforms with the samples before the first hop in front."""
    span, hop = len(encoder.window), encoder.hop
    views = np.lib.stride_tricks.sliding_window_view(padded, span, axis=1)[:, ::hop]
    samples, windows = views.shape[:2]
    levels = np.empty((samples, windows, encoder.bands), np.int64)
    for sample in range(samples):
        products = views[sample].astype(np.int64) * encoder.window
        frames = np.zeros((windows, encoder.fft_size), np.int64)
        frames[:, :span] = (products + (1 << (WINDOW_SHIFT - 1))) >> WINDOW_SHIFT
        power = power_spectrum(frames, encoder.sine)
        levels[sample] = log2_levels(band_energies(encoder, power))
    return levels


def band_energies(encoder: LogMel, power: Integers) -> Integers:
    """Energies of the bands, int64 (windows, bands), of power spectra (windows, bins); step 3."""
    edges = encoder.edges.tolist()
    weight = encoder.weight.astype(np.int64)
    energies = np.zeros((len(power), encoder.bands), np.int64)
    for s, (first, end) in enumerate(zip(edges, edges[1:], strict=False)):
        bins, w = power[:, first:end], weight[first - edges[0] : end - edges[0]]
        if s < encoder.bands:
            energies[:, s] += (bins * w).sum(axis=1)
        if s > 0:
            energies[:, s - 1] += (bins * (WEIGHT_ONE - w)).sum(axis=1)
    return energies


def log2_levels(energies: Integers) -> Integers:
    """Logarithms to base 2 of energies, in 1/256; step 4."""
    left = np.maximum(energies, 1)
    exponent = np.zeros_like(left)
    for bits in (32, 16, 8, 4, 2, 1):
        large = left >> bits > 0
        exponent += bits * large
        left = np.where(large, left >> bits, left)
    energies = np.maximum(energies, 1)
    mantissa = np.where(
        exponent >= 8,
        energies >> np.maximum(exponent - 8, 0),
        energies << np.maximum(8 - exponent, 0),
    )
    levels: Integers = LEVEL_ONE * exponent + LOG2_TABLE[mantissa & 255]
    return levels


def references(encoder: LogMel, levels: Integers, start: int | None = None) -> Integers:
    """Reference of each window, int64 (samples, windows), of levels (samples, windows, bands).

    `start` is the reference before the first window, by default the floor; step 5.
    """
    result = np.zeros(levels.shape[:2], np.int64)
    if encoder.peak_decay < 0:
        return result
    now = np.full(len(levels), encoder.peak_floor if start is None else start)
    for k, loudest in enumerate(levels.max(axis=2).T):
        now = np.maximum(np.maximum(now - encoder.peak_decay, encoder.peak_floor), loudest)
        result[:, k] = now
    return result


def quantize_levels(encoder: LogMel, relative: Integers) -> NDArray[np.uint8]:
    """Values of levels relative to their reference, of any shape with the bands last; step 6."""
    values = (relative * encoder.scale + encoder.offset) >> VALUE_SHIFT
    clipped: NDArray[np.uint8] = values.clip(0, encoder.max_value).astype(np.uint8)
    return clipped
