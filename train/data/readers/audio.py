"""Audio files as log-mel spectra: a timestep holds the spectra of a few consecutive windows.

The waveform is cut into windows of 25 ms every 10 ms (Hann), whose power spectrum is summed by
triangular filters, evenly spaced on the mel scale m = 2595 log10(1 + f / 700) (HTK). The power in
decibels is standardized by mean and standard deviation of each band over the training files, and
mapped from -2..2 standard deviations to all integers of `value_bits` bits.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import DataError, MissingPackage
from ..cache import cached_values
from ..file_frames import FileList, Reader
from ..options import DataOptions
from ..reading import map_items
from ..sources import DecodedSource

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}
DURATION = 1_000_000  # default of `window`, microseconds
BANDS = 32  # default of `size`
WINDOW_MS, HOP_MS = 25, 10
RANGE = 2.0  # standard deviations to either side of the mean that integers cover
FLOOR = 1e-10  # of the power
MAX_FITTED = 1024  # training files that the standardization is fitted to
Spectra = NDArray[np.float64]  # (windows, bands), decibels


@dataclass(frozen=True)
class LogMel:
    """Log-mel spectra of `windows` windows from the start of a file, padded with silence."""

    rate: int
    bands: int
    windows: int

    @property
    def hop(self) -> int:
        """Waveform samples from one window to the next."""
        return self.rate * HOP_MS // 1000

    @property
    def length(self) -> int:
        """Waveform samples of a window."""
        return self.rate * WINDOW_MS // 1000

    @cached_property
    def filters(self) -> NDArray[np.float64]:
        """Weights of the triangular filters, (frequencies, bands)."""
        size = 1 << (self.length - 1).bit_length()
        top = 2595 * math.log10(1 + self.rate / 2 / 700)
        edges = 700 * (10 ** (np.linspace(0, top, self.bands + 2) / 2595) - 1)
        frequencies = np.arange(size // 2 + 1)[:, None] * self.rate / size
        rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
        falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
        weights: NDArray[np.float64] = np.minimum(rising, falling).clip(min=0)
        return weights

    def __call__(self, file: Path) -> Spectra:
        """Spectra of a file, float64 (windows, bands); raises `DataError`."""
        waveform = read_audio(file, self.rate)[0]
        needed = (self.windows - 1) * self.hop + self.length
        padded = np.pad(waveform[:needed], (0, max(0, needed - len(waveform))))
        starts = self.hop * np.arange(self.windows)
        cut = padded[starts[:, None] + np.arange(self.length)] * np.hanning(self.length)
        size = 1 << (self.length - 1).bit_length()
        power = np.abs(np.fft.rfft(cut, size)) ** 2
        spectra: Spectra = 10 * np.log10(power @ self.filters + FLOOR)
        return spectra


@dataclass(frozen=True)
class AudioFrames:
    """Decoder of a file to uint8 (timesteps, 1, bands, windows of a timestep)."""

    spectra: LogMel
    mean: tuple[float, ...]
    std: tuple[float, ...]
    options: DataOptions

    def __call__(self, file: Path) -> NDArray[np.uint8]:
        """Standardized spectra as integers; raises `DataError`."""
        scores = (self.spectra(file) - self.mean) / self.std
        largest = 255 >> (8 - self.options.value_bits)
        levels = np.rint((scores + RANGE) * largest / (2 * RANGE)).clip(0, largest)
        steps = levels.reshape(self.options.timesteps, -1, self.spectra.bands)
        return steps.swapaxes(1, 2)[:, None].astype(np.uint8)


def make_audio_reader(files: FileList, training: NDArray[np.int64], options: DataOptions) -> Reader:
    """Make a reader of the first `options.window` microseconds of audio (default one second).

    `options.size` mel bands (default 32), at the sample rate of the first file; others are
    resampled to it. Raises `DataError` where a timestep would be shorter than 10 ms.
    """
    bands, duration = options.size or BANDS, options.window or DURATION
    width = duration // (1000 * HOP_MS * options.timesteps)
    if not width:
        raise DataError(
            f"timesteps is {options.timesteps}: audio of {duration} us has "
            f"{duration // (1000 * HOP_MS)} windows of {HOP_MS} ms; needs no more timesteps"
        )
    rate = _first_readable(lambda file: read_audio(file)[1], files)
    spectra = LogMel(rate, bands, width * options.timesteps)
    mean, std = _fit(spectra, files, training)
    shape = options.timesteps, 1, bands, width
    limit = 255 >> (8 - options.value_bits)
    decode = AudioFrames(spectra, tuple(mean), tuple(std), options)
    encoder = {
        "kind": "log-mel", "sample_rate": rate, "window_ms": WINDOW_MS, "hop_ms": HOP_MS,
        "bands": bands, "range": RANGE, "mean": mean, "std": std,
    }  # fmt: skip
    return Reader(DecodedSource(files, decode, shape, max_value=limit), encoder)


def read_audio(file: Path, rate: int | None = None) -> tuple[NDArray[np.float32], int]:
    """Waveform of a file, mono, float32 -1 to 1, and its rate; resampled to `rate` if it is given.

    Raises `DataError` where the file cannot be decoded, and `MissingPackage` without PyAV.
    """
    try:
        import av
    except ImportError as error:
        raise MissingPackage("audio needs PyAV: pip install 'pumice[train]'") from error
    av.logging.set_level(av.logging.PANIC)
    try:
        with file.open("rb") as raw, av.open(raw, "r") as opened:
            if not opened.streams.audio:
                raise DataError(f"{file}: holds no audio")
            rate = rate or int(opened.streams.audio[0].rate)
            resampler = av.AudioResampler("flt", "mono", rate)
            frames = [
                each for frame in opened.decode(audio=0) for each in resampler.resample(frame)
            ]
            frames += resampler.resample(None)
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        if isinstance(error, DataError):
            raise
        message = " ".join(str(error).split())
        raise DataError(f"{file}: cannot be read as audio ({message})") from error
    waveform = np.concatenate([np.zeros(0, np.float32), *(f.to_ndarray()[0] for f in frames)])
    if not len(waveform):
        raise DataError(f"{file}: holds no sound")
    return waveform, rate


def _fit(
    spectra: LogMel, files: FileList, training: NDArray[np.int64]
) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each band over training files, from the cache."""
    spaced = np.linspace(0, len(training) - 1, min(len(training), MAX_FITTED)).astype(np.int64)
    chosen = FileList(files.folder, [files[k] for k in training[spaced].tolist()])

    def fit() -> list[Any]:
        return fit_standardization(map_items(spectra, chosen), str(files.folder))

    key = {"files": chosen.signature(), "spectra": repr(spectra)}
    mean, std = cached_values("audio", key, fit)
    return mean, std


def fit_standardization(parts: Any, who: str) -> list[list[float]]:
    """Mean and standard deviation of the columns of all arrays (rows, columns), in two lists.

    Errors among `parts` are left out; a deviation of 0 becomes 1. Raises `DataError` where nothing
    is left.
    """
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for part in parts:
        if isinstance(part, DataError):
            continue  # counted where its frames are decoded
        if isinstance(part, Exception):
            raise part
        count += len(part)
        total = total + part.sum(axis=0)
        squares = squares + np.square(part).sum(axis=0)
    if not count:
        raise DataError(f"{who}: no training file can be read")
    mean = total / count
    std = np.sqrt((squares / count - mean**2).clip(min=0))
    return [mean.tolist(), np.where(std < 1e-6, 1.0, std).tolist()]


def _first_readable(read: Callable[[Path], int], files: Sequence[Path]) -> int:
    error = DataError("no files")
    for file in files:
        try:
            return read(file)
        except DataError as reason:
            error = reason
    raise error
