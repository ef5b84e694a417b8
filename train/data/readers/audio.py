"""Audio files as log-mel spectra in integers: a timestep holds a few consecutive windows.

The encoder is `runtime.encoders.LogMel`, so that a network is trained on the integers that its
firmware computes. Scale and offset of each band are fitted to the training files alone.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.encoders import LogMel, encoder_from_dict, encoder_to_dict
from ....runtime.encoders.log_mel import encode_waveforms
from ....runtime.errors import DataError
from ....runtime.input_file import open_input
from ..audio_options import AudioOptions
from ..cache import cached_values
from ..file_frames import Copies, FileList, Reader
from ..options import DataOptions
from ..pyav import import_av
from ..reading import map_items
from ..sources import DecodedSource
from .mel_filters import Levels, design_log_mel, fit_log_mel, relative_levels

AUDIO_SUFFIXES = {".wav", ".flac", ".ogg", ".mp3"}
DURATION = 1_000_000  # default of `window`, microseconds
BANDS = 32  # default of `size`
MAX_FITTED = 1024  # training files that the standardization is fitted to
NOISE_RANGE_DB = 30.0
Waveform = NDArray[np.int16]


@dataclass(frozen=True)
class AudioLevels:
    """Reader of a file's levels, which the standardization is fitted to."""

    encoder: LogMel
    windows: int

    def __call__(self, file: Path) -> Levels:
        """Levels of the windows that the file fills; raises `DataError`."""
        waveform = read_audio(file, self.encoder.sample_rate)[0]
        return relative_levels(self.encoder, waveform, self.windows)


@dataclass(frozen=True)
class AudioFrames:
    """Decoder of a file to uint8 (timesteps, 1, bands, windows of a timestep)."""

    encoder: LogMel
    timesteps: int

    def __call__(self, file: Path) -> NDArray[np.uint8]:
        """Values of the file from its start; raises `DataError`."""
        return self.encode(read_audio(file, self.encoder.sample_rate)[0])

    def encode(self, waveform: Waveform) -> NDArray[np.uint8]:
        """Values of a waveform."""
        return encode_waveforms(self.encoder, waveform[None], self.timesteps)[:, 0]


@dataclass(frozen=True)
class AugmentedFrames:
    """Decoder of an augmented copy: item (file, its number, number of the copy)."""

    frames: AudioFrames
    options: AudioOptions
    seed: int

    def __call__(self, item: tuple[Path, int, int]) -> NDArray[np.uint8]:
        """Values of the copy, the same each time; raises `DataError`."""
        file, *numbers = item
        encoder = self.frames.encoder
        length = self.frames.timesteps * encoder.input_size
        generator = np.random.default_rng((self.seed, *numbers))
        waveform = read_audio(file, encoder.sample_rate)[0]
        varied = vary_waveform(waveform, encoder.sample_rate, length, self.options, generator)
        return self.frames.encode(varied)


def vary_waveform(
    waveform: Waveform,
    rate: int,
    length: int,
    options: AudioOptions,
    generator: np.random.Generator,
) -> Waveform:
    """Vary speed, start, gain, tilt and noise of a waveform at random, within `options`.

    Noise lasts at least `length` samples.
    """
    factor = (1 + options.speed) ** generator.uniform(-1, 1)
    moments = np.arange(int(len(waveform) / factor)) * factor
    varied = np.interp(moments, np.arange(len(waveform)), waveform.astype(np.float64))
    shift = int(generator.uniform(-0.5, 1) * options.shift_ms * rate / 1000)
    varied = np.pad(varied, (shift, 0)) if shift >= 0 else varied[-shift:]
    varied = varied * 10 ** (generator.uniform(-1, 1) * options.gain_db / 20)
    varied[1:] += generator.uniform(-1, 1) * options.tilt * varied[:-1]
    if options.noise_db is not None and generator.random() < 0.5 and len(varied):
        ratio = options.noise_db + generator.uniform(0, NOISE_RANGE_DB)
        loudness = np.sqrt(np.square(varied).mean())
        varied = np.pad(varied, (0, max(0, length - len(varied))))
        varied = varied + generator.normal(0, loudness * 10 ** (-ratio / 20), len(varied))
    rounded: Waveform = np.rint(varied).clip(-32768, 32767).astype(np.int16)
    return rounded


def make_audio_reader(files: FileList, training: NDArray[np.int64], options: DataOptions) -> Reader:
    """Make a reader of the first `options.window` microseconds of audio (default one second).

    `options.size` mel bands (default 32), at the sample rate of the first file; others are
    resampled to it. Raises `DataError` where a timestep would be shorter than a window's hop.
    """
    bands, duration = options.size or BANDS, options.window or DURATION
    audio = options.audio or AudioOptions()
    width = duration // (1000 * audio.hop_ms * options.timesteps)
    if not width:
        raise DataError(
            f"timesteps is {options.timesteps}: audio of {duration} us has "
            f"{duration // (1000 * audio.hop_ms)} windows of {audio.hop_ms} ms; needs no more "
            "timesteps"
        )
    rate = _first_readable(lambda file: read_audio(file)[1], files)
    unfitted = design_log_mel(rate, bands, width, options.value_bits, audio)
    encoder = _fit(AudioLevels(unfitted, width * options.timesteps), files, training)
    shape = options.timesteps, *encoder.output_shape
    frames = AudioFrames(encoder, options.timesteps)
    augmented = None
    if audio.copies:
        chosen = FileList(files.folder, [files[k] for k in training.tolist()])
        augmented = DecodedSource(
            Copies(chosen, audio.copies), AugmentedFrames(frames, audio, options.seed), shape,
            max_value=encoder.max_value,
        )  # fmt: skip
    source = DecodedSource(files, frames, shape, max_value=encoder.max_value)
    return Reader(source, encoder_to_dict(encoder), augmented)


def read_audio(file: Path, rate: int | None = None) -> tuple[Waveform, int]:
    """Waveform of a file, mono, int16, and its rate; resampled to `rate` if it is given.

    Raises `DataError` where the file cannot be decoded, and `MissingPackage` without PyAV.
    """
    av = import_av("audio files")
    try:
        with open_input(file) as raw:
            if not raw.peek(1):  # PyAV prints an error of its own
                raise DataError(f"{file}: is empty")
            with av.open(raw, "r") as opened:
                frames, rate = _decode(av, opened, rate, file)
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        if isinstance(error, DataError):
            raise
        message = " ".join(str(error).split())
        raise DataError(f"{file}: cannot be read as audio ({message})") from error
    waveform = np.concatenate([np.zeros(0, np.int16), *(f.to_ndarray()[0] for f in frames)])
    if not len(waveform):
        raise DataError(f"{file}: holds no sound")
    return waveform, rate


def _decode(av: Any, opened: Any, rate: int | None, file: Path) -> tuple[list[Any], int]:
    if not opened.streams.audio:
        raise DataError(f"{file}: holds no audio")
    rate = rate or int(opened.streams.audio[0].rate)
    resampler = av.AudioResampler("s16", "mono", rate)
    frames = [each for frame in opened.decode(audio=0) for each in resampler.resample(frame)]
    return frames + resampler.resample(None), rate


def _fit(levels: AudioLevels, files: FileList, training: NDArray[np.int64]) -> LogMel:
    """Filter bank standardized over the training files, from the cache."""
    spaced = np.linspace(0, len(training) - 1, min(len(training), MAX_FITTED)).astype(np.int64)
    chosen = FileList(files.folder, [files[k] for k in training[spaced].tolist()])

    def fit() -> list[Any]:
        fitted = fit_log_mel(levels.encoder, map_items(levels, chosen), str(files.folder))
        return [encoder_to_dict(fitted)]

    key = {
        "files": chosen.signature(),
        "encoder": encoder_to_dict(levels.encoder),
        "windows": levels.windows,
    }
    encoder = encoder_from_dict(cached_values("audio", key, fit)[0])
    assert isinstance(encoder, LogMel)
    return encoder


def _first_readable(read: Callable[[Path], int], files: Sequence[Path]) -> int:
    error = DataError("no files")
    for file in files:
        try:
            return read(file)
        except DataError as reason:
            error = reason
    raise error
