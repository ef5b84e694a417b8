"""Spatial transforms of events: downsample, crop, rescale."""

from dataclasses import replace

import numpy as np

from ...runtime.errors import DataError
from .events import Events


def downsample(events: Events, factor: int) -> Events:
    """Merge squares of `factor` x `factor` pixels; every event is kept.

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
    """Crop events to `width` x `height` pixels from column `left` and row `top`.

    Coordinates are relative to the window. Where it reaches beyond the sensor, as with a negative
    `left`, the sensor is padded with pixels without events.
    """
    x, y = events.x.astype(int) - left, events.y.astype(int) - top
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return Events(x[inside], y[inside], events.polarity[inside], events.t[inside], width, height)


def rescale(events: Events, side: int) -> Events:
    """Rescale events to a sensor of `side` x `side` pixels, by nearest pixel; every event is kept.

    With 0 they stay as they are. Raises `DataError` where `side` is larger than the sensor.
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
