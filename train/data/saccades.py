"""Images that move along three saccades in front of a simulated event sensor.

N-MNIST moved a real sensor in front of MNIST's digits in this way (G. Orchard et al., "Converting
static image datasets to spiking neuromorphic datasets using saccades", Frontiers in Neuroscience
9:437, 2015).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .motion import Motion
from .sensor import Sensor

# Corners of the path, as N-MNIST's saccades: down and right, up and right, back to the left.
CORNERS = np.array([(-1, -1), (1, 0), (-1, 1), (-1, -1)], np.float64)
N_SACCADES = len(CORNERS) - 1


@dataclass(frozen=True)
class Scene:
    """Parameters of the saccades of an image in front of the sensor.

    The sensor has `width` x `height` pixels; an image pixel covers `scale` of them on each axis. A
    corner of the path is `amplitude` sensor pixels from the center on each axis; each image's path
    is shifted by up to `jitter` sensor pixels on each axis, sampled per image. A saccade has
    `images` frames, one every `interval` microseconds, which are half a frame's distance off the
    corners, so that the path does not end exactly at its start: a pixel that returned to its first
    intensity would be at the threshold of an event.
    """

    width: int = 16
    height: int = 16
    scale: float = 1.5
    amplitude: float = 1.2
    jitter: float = 0.25
    images: int = 10
    interval: int = 10_000
    sensor: Sensor = Sensor(threshold=0.5, mismatch=0.1, dark=0.3, seed=0)

    @property
    def duration(self) -> int:
        """Duration from the first frame to the last, inclusive, microseconds."""
        return (N_SACCADES * self.images - 1) * self.interval + 1


def saccade_motion(scene: Scene, start: NDArray[np.float64]) -> Motion:
    """Path along the corners at constant speed, shifted by `start` (row, column)."""
    moments = (np.arange(N_SACCADES * scene.images) + 0.5) / scene.images
    row, column = (
        scene.amplitude * np.interp(moments, np.arange(N_SACCADES + 1), corners) + shift
        for corners, shift in zip(CORNERS.T, start, strict=True)
    )
    return Motion(row, column, np.zeros(len(moments)), np.full(len(moments), scene.scale))
