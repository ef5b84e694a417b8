"""Events of a part of the sensor, or of larger pixels."""

from dataclasses import replace

from ...runtime.errors import DataError
from .events import Events


def pooled(events: Events, factor: int) -> Events:
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


def cropped(events: Events, left: int, top: int, width: int, height: int) -> Events:
    """Return the events of a window of `width` x `height` pixels, counted from its own corner.

    The window starts at column `left` and row `top`. Where it reaches beyond the sensor, as with a
    negative `left`, the sensor is padded with pixels that see nothing.
    """
    x, y = events.x.astype(int) - left, events.y.astype(int) - top
    kept = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return Events(x[kept], y[kept], events.polarity[kept], events.t[kept], width, height)
