"""Render an image that moves in front of a sensor."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.arrays import ValueEquality
from ...runtime.errors import DataError


@dataclass(frozen=True, eq=False)
class Motion(ValueEquality):
    """Pose of an image over time: float64 (moments,) each, read-only copies.

    Args:
        row: Center of the image, sensor pixels below the center of the sensor.
        column: Center of the image, sensor pixels right of the center of the sensor.
        angle: Rotation in radians, counter-clockwise.
        scale: Sensor pixels that an image pixel covers on each axis.

    Raises:
        DataError: Lengths differ, a value is not finite or a scale is not above 0.
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
    """Render a moving image on `width` x `height` sensor pixels, float64 (moments, height, width).

    `image`: intensities (rows, columns), surrounded by 0. A sensor pixel (u, v), counted from the
    sensor's center, has the bilinearly interpolated intensity of the image at

        c =  (cos(angle) (v - column) - sin(angle) (u - row)) / scale
        r =  (sin(angle) (v - column) + cos(angle) (u - row)) / scale

    rows down and columns right of the image's center.
    """
    from scipy.ndimage import map_coordinates

    u, v = np.mgrid[:height, :width]
    down = u - (height - 1) / 2 - motion.row[:, None, None]
    right = v - (width - 1) / 2 - motion.column[:, None, None]
    cosine, sine = np.cos(motion.angle)[:, None, None], np.sin(motion.angle)[:, None, None]
    scale = motion.scale[:, None, None]
    r = (sine * right + cosine * down) / scale + (image.shape[0] - 1) / 2
    c = (cosine * right - sine * down) / scale + (image.shape[1] - 1) / 2
    video: NDArray[np.float64] = map_coordinates(
        image.astype(np.float64), [r, c], order=1, mode="grid-constant"
    )
    return video


def render_translation(
    image: NDArray[np.floating], motion: Motion, width: int, height: int
) -> NDArray[np.float64]:
    """Render an image that is moved and scaled but not rotated; faster than `render`.

    As `render` up to rounding: without rotation, interpolation along rows and along columns are two
    matrix products. Raises `DataError` where an angle is not 0.
    """
    if motion.angle.any():
        raise DataError(f"motion: rotates by up to {abs(motion.angle).max()}, needs angles of 0")
    rows = _interpolation(motion.row, motion.scale, height, image.shape[0])
    columns = _interpolation(motion.column, motion.scale, width, image.shape[1])
    video: NDArray[np.float64] = rows @ image.astype(np.float64) @ columns.swapaxes(1, 2)
    return video


def _interpolation(
    center: NDArray[np.float64], scale: NDArray[np.float64], pixels: int, size: int
) -> NDArray[np.float64]:
    """Weights (moments, pixels, size) of an image axis of `size` for each sensor pixel."""
    offset = np.arange(pixels) - (pixels - 1) / 2 - center[:, None]
    position = offset / scale[:, None] + (size - 1) / 2
    weights: NDArray[np.float64] = 1 - np.abs(position[:, :, None] - np.arange(size))
    return np.maximum(weights, 0)
