"""Small media files for tests: images, videos, audio and event recordings."""

import wave
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]  # (images, height, width, 3)


def write_jpegs(files: Iterable[Path], images: Images) -> None:
    """Write images as JPEG files, with one encoder for all of them."""
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.height, encoder.width = images.shape[1:3]
    encoder.pix_fmt, encoder.time_base = "yuvj420p", Fraction(1, 25)
    for file, image in zip(files, images, strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format="yuvj420p")
        file.write_bytes(b"".join(bytes(packet) for packet in encoder.encode(frame)))


def write_video(file: Path, images: Images) -> None:
    """Write images as a video without loss, in the container that the suffix names."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *images.shape[1:3], "bgr0"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode(None))


def write_wave(file: Path, waveform: NDArray[np.float64], rate: int = 8000) -> None:
    """Write a waveform, -1 to 1, as a mono 16-bit wav file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(file), "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(rate)
        opened.writeframes((waveform * 32767).astype("<i2").tobytes())


def write_flac(file: Path, waveform: NDArray[np.float64], rate: int = 8000) -> None:
    """Write a waveform, -1 to 1, as a mono 16-bit flac file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(file), "w") as container:
        stream: Any = container.add_stream("flac", rate=rate, layout="mono", format="s16")
        samples = (waveform * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(samples, "s16", "mono")
        frame.sample_rate = rate
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
