"""Events of a part of the sensor, or of larger pixels."""

from dataclasses import replace

import numpy as np

from ...runtime.errors import DataError
from .events import Events


def downsample(events: Events, factor: int) -> Events:
    """Return `events` with squares of `factor` x `factor` pixels joined into one; none is lost.

    Raises `DataError` where `factor` does not divide the width and the height.
    """
    if factor < 1 or events.width % factor or events.height % factor:
        raise DataError(
            f"pool is {factor}, but the sensor is {events.width} x {events.height}; "
            "needs a divisor of both sides"
        )
    return replace(
        events,
        x=events.x // factor,
        y=events.y // factor,
        width=events.width // factor,
        height=events.height // factor,
    )


def crop(events: Events, left: int, top: int, width: int, height: int) -> Events:
    """Return the events of a window of `width` x `height` pixels, counted from its own corner.

    The window starts at column `left` and row `top`. Where it reaches beyond the sensor, as with a
    negative `left`, the sensor is padded with pixels that see nothing.
    """
    x, y = events.x.astype(int) - left, events.y.astype(int) - top
    kept = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return Events(x[kept], y[kept], events.polarity[kept], events.t[kept], width, height)


def rescale(events: Events, side: int) -> Events:
    """Return `events` on a sensor of `side` x `side` pixels, each in the pixel it falls into.

    None is lost; with 0 they stay as they are. Raises `DataError` where `side` is larger.
    """
    if side == 0:
        return events
    if side > min(events.width, events.height):
        raise DataError(
            f"size is {side}, but the sensor is {events.width} x {events.height}; needs no more"
        )
    x, y = (
        values.astype(np.int64) * side // extent
        for values, extent in ((events.x, events.width), (events.y, events.height))
    )
    return replace(events, x=x, y=y, width=side, height=side)
