"""Augmentation of time series: speed, start, orientation, gain and noise."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import DataError
from ..series_options import SeriesOptions

AXES = 3  # of a vector: x, y and z


def check_features(options: SeriesOptions, features: int) -> None:
    """Raise `DataError` where features are not the vectors that are to be rotated."""
    if options.rotate and features % AXES:
        raise DataError(
            f"series.rotate is {options.rotate:g}: series have {features} features, needs a "
            "multiple of 3, the x, y and z of each sensor"
        )
    if options.heading and features != 3 * AXES:
        raise DataError(
            f"series.heading is {options.heading:g}: series have {features} features, needs 9, of "
            "an accelerometer, a gyroscope and a magnetometer"
        )


def vary_series(
    rows: NDArray[np.float64],
    deviations: Sequence[float],
    options: SeriesOptions,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """Vary a time series at random, within `options`; `copies` does not count here.

    Args:
        rows: The series, float64 (rows, features).
        deviations: Standard deviation of each feature over the training samples.
        options: Largest changes.
        generator: Source of random numbers.

    Returns:
        The varied series, of the same shape; values between rows are interpolated linearly.
    """
    factor = (1 + options.speed) ** generator.uniform(-1, 1)
    start = options.shift * generator.uniform(-1, 1)
    positions = np.arange(len(rows))
    moments = start + factor * positions
    varied = np.stack([np.interp(moments, positions, each) for each in rows.T], axis=1)
    if options.rotate:
        rotation = make_rotation(
            generator.normal(size=AXES), options.rotate * generator.uniform(-1, 1)
        )
        varied = (varied.reshape(len(rows), -1, AXES) @ rotation.T).reshape(rows.shape)
    if options.heading:
        rotation = make_rotation(
            varied[:, :AXES].mean(axis=0), options.heading * generator.uniform(-1, 1)
        )
        varied[:, -AXES:] = varied[:, -AXES:] @ rotation.T
    if options.gain:
        mean = varied.mean(axis=0)
        varied = mean + (varied - mean) * (1 + options.gain) ** generator.uniform(-1, 1)
    if options.noise:
        varied = varied + generator.normal(0, options.noise, rows.shape) * np.array(deviations)
    return varied


def make_rotation(axis: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    """Rotation about an axis (3,) of any length, a matrix (3, 3); the identity where it is 0."""
    from scipy.spatial.transform import Rotation

    unit = axis / (np.linalg.norm(axis) or 1.0)
    rotation: NDArray[np.float64] = Rotation.from_rotvec(degrees * unit, degrees=True).as_matrix()
    return rotation
