"""Waveforms of PCM `.wav` files, by the standard library."""

import os
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..input_file import open_input


def read_waveform(path: str | os.PathLike[str], sample_rate: int) -> NDArray[np.int16]:
    """Read the waveform of a `.wav` file, int16 (length,), one channel.

    Raises:
        DataError: The file is absent or damaged, or has another rate, width or more channels than
            one: a device does not resample.
    """
    path = Path(path)
    try:
        with open_input(path) as opened, wave.open(opened, "rb") as file:
            found = file.getframerate(), file.getnchannels(), 8 * file.getsampwidth()
            data = file.readframes(file.getnframes())
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (wave.Error, EOFError) as error:
        raise DataError(f"{path}: is not a complete PCM .wav file ({error})") from error
    if found != (sample_rate, 1, 16):
        rate, channels, bits = found
        raise DataError(
            f"{path}: has {rate} Hz, {channels} channels of {bits} bits; the network takes "
            f"{sample_rate} Hz, one channel of 16 bits (ffmpeg -i IN -ar {sample_rate} -ac 1 "
            "-sample_fmt s16 OUT.wav)"
        )
    waveform: NDArray[np.int16] = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int16)
    if not len(waveform):
        raise DataError(f"{path}: holds no sound")
    return waveform
