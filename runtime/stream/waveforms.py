"""Waveforms as streams: the samples of each timestep, from a `.wav` file or from standard input."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..encoders import LogMel, read_waveform
from .binning import TimeBin
from .chunks import StreamStats


def read_wave_bins(
    path: str | os.PathLike[str], encoder: LogMel, stats: StreamStats, real_time: bool = False
) -> Iterator[TimeBin]:
    """Read the timesteps of a `.wav` file, the last padded with zeros; raises `DataError`.

    With `real_time`, each is yielded when it would have been recorded.
    """
    waveform = read_waveform(Path(path), encoder.sample_rate)
    size = encoder.input_size
    padded = np.pad(waveform, (0, -len(waveform) % size))
    start = time.monotonic()
    for step, samples in enumerate(padded.reshape(-1, size)):
        time_bin = _to_bin(encoder, samples, step, stats)
        if real_time:
            time.sleep(max(0.0, start + time_bin.end / 1e6 - time.monotonic()))
        yield time_bin


def read_pcm_bins(source: BinaryIO, encoder: LogMel, stats: StreamStats) -> Iterator[TimeBin]:
    """Read the timesteps of raw PCM, int16 with the low byte first, as bytes arrive.

    Samples after the last complete timestep are left out.
    """
    size = 2 * encoder.input_size
    pending = b""
    step = 0
    read = getattr(source, "read1", source.read)
    while data := read(size):
        pending += data
        while len(pending) >= size:
            samples = np.frombuffer(pending[:size], "<i2").astype(np.int16)
            pending = pending[size:]
            yield _to_bin(encoder, samples, step, stats)
            step += 1


def _to_bin(encoder: LogMel, samples: NDArray[np.int16], step: int, stats: StreamStats) -> TimeBin:
    stats.events += len(samples)
    end = (step + 1) * encoder.input_size * 1_000_000 // encoder.sample_rate
    return TimeBin(end, len(samples), samples, step == 0)
