"""Event sensor simulation: images to events, after ESIM."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from .events import Events

MIN_THRESHOLD_FRACTION = 0.1  # lower bound of a pixel's threshold, as a fraction of the sensor's


@dataclass(frozen=True)
class Sensor:
    """Parameters of the simulated sensor.

    Args:
        threshold: Change of log intensity that triggers an event.
        mismatch: Standard deviation of the pixels' thresholds, as a fraction of `threshold`; the
            fixed pattern is sampled from `seed` and is the same in all recordings.
        dark: Intensity added to each pixel before the logarithm (dark current), in the unit of the
            images.
        seed: Seed of the mismatch pattern.

    Raises:
        DataError: A value is out of range.
    """

    threshold: float = 0.5
    mismatch: float = 0.0
    dark: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.threshold > 0 and self.dark > 0 and self.mismatch >= 0):
            raise DataError(
                f"sensor: threshold {self.threshold}, dark {self.dark}, mismatch {self.mismatch}; "
                "needs a threshold and dark above 0 and a mismatch of 0 or more"
            )


def pixel_thresholds(sensor: Sensor, width: int, height: int) -> NDArray[np.float64]:
    """Threshold of each pixel, (height, width): C = max(1 + mismatch z, 0.1) threshold.

    z is standard normal, sampled per pixel.
    """
    noise = np.random.default_rng(sensor.seed).standard_normal((height, width))
    return sensor.threshold * np.maximum(1 + sensor.mismatch * noise, MIN_THRESHOLD_FRACTION)


def simulate_events(images: NDArray[np.floating], sensor: Sensor, interval: int) -> Events:
    """Simulate the events of a sensor that sees `images`, one every `interval` microseconds.

    `images`: intensities, float (images, height, width), 0 or more. With I_k the image at time
    t_k = k * interval, a pixel's signal in units of its threshold C is

        z_k = (ln(I_k + dark) - ln(I_0 + dark)) / C

    and is linear from z_(k-1) to z_k in between. The pixel stores a level r, that of its last
    event, at first 0. Where z reaches r + 1 it sends an ON event, where it reaches r - 1 an OFF
    event, and r takes that value. Hence from t_(k-1) to t_k it sends n = |trunc(z_k - r)| events
    of polarity s = sign(z_k - r), the j-th of them at

        t = floor(t_(k-1) + interval * (r + s j - z_(k-1)) / (z_k - z_(k-1))),   j = 1..n

    and then r becomes r + s n. Levels are integers, so nothing drifts. Events of one microsecond
    are ordered by image, pixel and j. This is the ideal sensor of Rebecq, Gehrig
    and Scaramuzza, "ESIM: an open event camera simulator" (CoRL 2018), without noise or latency.

    Raises `DataError` where an image is not finite or negative, or has another shape.
    """
    if images.ndim != 3 or 0 in images.shape or not (np.isfinite(images) & (images >= 0)).all():
        raise DataError(
            f"images: shape {images.shape}, needs (images, height, width) with finite values of "
            "0 or more"
        )
    count, height, width = images.shape
    scale = pixel_thresholds(sensor, width, height)
    logarithm = np.log(images.astype(np.float64) + sensor.dark)
    signal = ((logarithm - logarithm[0]) / scale).reshape(count, -1)
    level = np.zeros(height * width)
    parts = [_crossings(signal[0], signal[0], level)]
    for k in range(1, count):
        pixel, polarity, fraction = _crossings(signal[k - 1], signal[k], level)
        parts.append((pixel, polarity, k - 1 + fraction))
    pixels, polarities, times = (np.concatenate(part) for part in zip(*parts, strict=True))
    t = np.floor(times * interval).astype(np.int64)
    order = np.argsort(t, kind="stable")
    y, x = np.divmod(pixels[order], width)
    return Events(x, y, polarities[order], t[order], width, height)


def _crossings(
    before: NDArray[np.float64], after: NDArray[np.float64], level: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float64]]:
    """Pixel, polarity and time (fraction of the interval) of each event; updates `level`."""
    steps = np.trunc(after - level)
    active = np.flatnonzero(steps)
    counts = np.abs(steps[active]).astype(np.int64)
    pixel = np.repeat(active, counts)
    sign = np.sign(steps[pixel])
    first = np.repeat(np.cumsum(counts) - counts, counts)
    reached = level[pixel] + sign * (np.arange(len(pixel)) - first + 1)
    fraction = (reached - before[pixel]) / (after[pixel] - before[pixel])
    level += steps
    return pixel, (sign > 0).astype(np.uint8), fraction
