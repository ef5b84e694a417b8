"""An image that moves in front of a sensor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.arrays import ValueEquality
from ...runtime.errors import DataError


@dataclass(frozen=True, eq=False)
class Motion(ValueEquality):
    """Where an image stands, one value a moment: float64 (moments,), kept as read-only copies.

    `row` and `column`: its centre, in sensor pixels down and right of the sensor's centre.
    `angle`: radians, counter-clockwise as seen. `scale`: sensor pixels an image pixel covers on
    each axis. Raises `DataError` where lengths differ, a value is not finite or a scale is not
    above 0.
    """

    row: NDArray[np.float64]
    column: NDArray[np.float64]
    angle: NDArray[np.float64]
    scale: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in ("row", "column", "angle", "scale"):
            array = np.array(getattr(self, name), np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
            if array.ndim != 1 or array.shape != self.row.shape or not np.isfinite(array).all():
                raise DataError(f"{name}: shape {array.shape}, needs {self.row.shape} and finite")
        if not (self.scale > 0).all():
            raise DataError(f"scale: holds {self.scale.min()}, needs values above 0")

    def __len__(self) -> int:
        return len(self.row)


def render(
    image: NDArray[np.floating], motion: Motion, width: int, height: int
) -> NDArray[np.float64]:
    """Return what a sensor of `width` x `height` pixels sees, float64 (moments, height, width).

    `image`: intensities (rows, columns), surrounded by 0. A sensor pixel (u, v), counted from the
    sensor's centre, sees the point of the image that moves there, interpolated linearly:

        c =  (cos(angle) (v - column) - sin(angle) (u - row)) / scale
        r =  (sin(angle) (v - column) + cos(angle) (u - row)) / scale

    rows down and columns right of the image's centre.
    """
    from scipy.ndimage import map_coordinates

    u, v = np.mgrid[:height, :width]
    down = u - (height - 1) / 2 - motion.row[:, None, None]
    right = v - (width - 1) / 2 - motion.column[:, None, None]
    cosine, sine = np.cos(motion.angle)[:, None, None], np.sin(motion.angle)[:, None, None]
    scale = motion.scale[:, None, None]
    r = (sine * right + cosine * down) / scale + (image.shape[0] - 1) / 2
    c = (cosine * right - sine * down) / scale + (image.shape[1] - 1) / 2
    seen: NDArray[np.float64] = map_coordinates(
        image.astype(np.float64), [r, c], order=1, mode="grid-constant"
    )
    return seen
