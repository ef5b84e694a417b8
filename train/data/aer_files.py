"""AER event files of 40 bits per event, as in N-MNIST (`.bin`) and DVS128 Gesture (`.bs2`).

An event is 40 bits, big-endian: x (8 bits), y (8), polarity (1), time in microseconds (23).
Source: the format description at https://www.garrickorchard.com/datasets/n-mnist.
"""

import os

import numpy as np

from ...runtime.errors import DataError
from ...runtime.files import atomic_write
from ...runtime.input_file import open_input
from ...runtime.stream.chunks import NO_EVENTS, StreamStats
from ...runtime.stream.formats import Aer40Decoder
from ...runtime.stream.formats.aer40 import EVENT_BYTES, TIME_BITS
from .events import Events

MAX_SIDE = 256  # pixels, the range of 8 bits


def read_events(
    path: str | os.PathLike[str], width: int, height: int, overflow: bool = False
) -> Events:
    """Read an AER file of 40 bits per event.

    Args:
        path: The file.
        width: Width of the sensor, pixels.
        height: Height of the sensor, pixels.
        overflow: Treat an event in row 240 as a timer overflow, as the reading code of N-MNIST's
            authors does: it is dropped, and all later times increase by 2^13 microseconds.

    Raises:
        DataError: The file is missing or truncated, an event is outside the sensor or times
            decrease.
    """
    try:
        with open_input(path) as file:
            data = file.read()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    if len(data) % EVENT_BYTES:
        raise DataError(
            f"{path}: has {len(data)} bytes, needs a multiple of {EVENT_BYTES}; "
            "the file is truncated, download it again"
        )
    decoder = Aer40Decoder(StreamStats(), overflow_marks=overflow, wraps=False)
    chunks = [NO_EVENTS, *decoder.decode(data)]
    x, y, polarity, t = (np.concatenate([chunk[k] for chunk in chunks]) for k in range(4))
    try:
        return Events(x, y, polarity, t, width, height)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def write_events(path: str | os.PathLike[str], events: Events) -> None:
    """Write events as an AER file of 40 bits per event, atomically.

    Raises `DataError` where the sensor is larger than 256 x 256 or a time is outside 0..2^23 - 1.
    """
    if max(events.width, events.height) > MAX_SIDE:
        raise DataError(
            f"{path}: the sensor is {events.width} x {events.height}, "
            f"but 40-bit events reach {MAX_SIDE} x {MAX_SIDE}"
        )
    if len(events) and not 0 <= events.t[0] <= events.t[-1] < 2**TIME_BITS:
        raise DataError(
            f"{path}: times run from {events.t[0]} to {events.t[-1]} us, "
            f"but 40-bit events hold 0 to {2**TIME_BITS - 1}"
        )
    t = events.t
    parts = (events.x, events.y, events.polarity << 7 | t >> 16, t >> 8 & 0xFF, t & 0xFF)
    with atomic_write(path) as temporary:
        temporary.write_bytes(np.stack(parts, axis=1).astype(np.uint8).tobytes())
