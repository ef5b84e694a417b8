"""Bin events into frames, one per timestep."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ...runtime.arrays import Integers
from ...runtime.errors import DataError
from .events import Events
from .geometry import downsample
from .options import Binning, DataOptions, Values

MAX_COUNT = 255  # events of a pixel in a timestep, the range of uint8


def to_frames(
    events: Events,
    timesteps: int,
    binning: Binning = "time",
    values: Values = "binary",
    duration: int | None = None,
) -> NDArray[np.uint8]:
    """Bin events into frames, uint8 (timesteps, 2, height, width); channel 0 is OFF, channel 1 ON.

    With `duration` (microseconds), the events of the window [0, duration) are binned and others
    dropped; without, the window is from the first event to the last. Of n events in a window that
    starts at `start` and lasts `length` microseconds, event k falls into the frame

        floor((t_k - start) * timesteps / length)    `binning` "time"
        floor(k * timesteps / n)                     `binning` "count"

    A value is 1 where there was an event (`values` "binary"), or the number of events, clipped at
    255 ("counts"). Raises `DataError` where an argument is out of range.
    """
    if timesteps < 1:
        raise DataError(f"timesteps is {timesteps}, needs 1 or more")
    if duration is not None and duration < 1:
        raise DataError(f"duration is {duration} us, needs 1 or more")
    if values not in ("binary", "counts"):
        raise DataError(f'values is "{values}", needs "binary" or "counts"')
    shape = (timesteps, 2, events.height, events.width)
    window = slice(None) if duration is None else (events.t >= 0) & (events.t < duration)
    t, polarity = events.t[window], events.polarity[window]
    frame = _frame_indices(t, timesteps, binning, duration)
    index = np.ravel_multi_index((frame, polarity, events.y[window], events.x[window]), shape)
    counts = np.bincount(index, minlength=np.prod(shape)).reshape(shape)
    return np.minimum(counts, 1 if values == "binary" else MAX_COUNT).astype(np.uint8)


def _frame_indices(t: Integers, timesteps: int, binning: Binning, duration: int | None) -> Integers:
    """Frame index of each event, in exact integer arithmetic."""
    if binning == "count":
        return np.arange(len(t)) * timesteps // max(len(t), 1)
    if binning != "time":
        raise DataError(f'binning is "{binning}", needs "time" or "count"')
    if duration is not None:
        return t * timesteps // duration
    return (t - t[:1]) * timesteps // (t[-1:] - t[:1] + 1)


def stack_frames(
    recordings: Iterable[Events], options: DataOptions, duration: int | None = None
) -> NDArray[np.uint8]:
    """Bin recordings into frames, uint8 (timesteps, recordings, 2, height, width), read-only.

    Recordings are taken one at a time, downsampled and binned by `options`.
    """
    frames = np.stack(
        [
            to_frames(
                downsample(events, options.pool),
                options.timesteps,
                options.binning,
                options.values,
                duration,
            )
            for events in recordings
        ],
        axis=1,
    )
    frames.flags.writeable = False
    return frames
