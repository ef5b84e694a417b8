"""Encode video as events: thresholded frame differences, uint8 (timesteps, 2, height, width).

Channel 0 is OFF, channel 1 ON.
"""

import os

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError

MIN_THRESHOLD = 1e-6


def frame_differences(
    clip: NDArray[np.floating], spike_fraction: float = 0.05, timesteps: int | None = None
) -> NDArray[np.uint8]:
    """Encode a gray clip (frames, height, width) as thresholded differences of adjacent frames.

    A difference above the threshold gives an ON spike, one below its negative an OFF spike.

    Args:
        clip: Gray levels, float (frames, height, width), 2 frames or more.
        spike_fraction: Fraction of all pixels and timesteps that spike; it determines the
            threshold, which is at least 1e-6, so that a still clip gives no spikes.
        timesteps: Number of differences to encode, the first ones; by default all.

    Returns:
        Spikes, uint8 (frames - 1 or timesteps, 2, height, width).

    Raises:
        DataError: The clip has another shape, or `spike_fraction` is not between 0 and 1.
    """
    if clip.ndim != 3 or len(clip) < 2:
        raise DataError(f"clip: shape {clip.shape}, needs (2 frames or more, height, width)")
    if not 0 < spike_fraction < 1:
        raise DataError(f"spike_fraction is {spike_fraction}, needs between 0 and 1")
    change = np.diff(clip.astype(np.float32), axis=0)[:timesteps]
    threshold = max(float(np.quantile(np.abs(change), 1 - spike_fraction)), MIN_THRESHOLD)
    return np.stack([change < -threshold, change > threshold], axis=1).astype(np.uint8)


def area_resize(
    clip: NDArray[np.integer | np.floating], height: int, width: int
) -> NDArray[np.float32]:
    """Downscale a clip (frames, height, width) by area averaging, float32.

    Raises `DataError` where the clip is smaller than `height` x `width`.
    """
    frames, rows, columns = clip.shape
    if rows < height or columns < width:
        raise DataError(f"clip: {rows} x {columns} pixels, needs {height} x {width} or more")
    top, left = np.arange(height) * rows // height, np.arange(width) * columns // width
    sums = np.add.reduceat(clip.astype(np.float32), top, axis=1)
    sums = np.add.reduceat(sums, left, axis=2)
    sizes = np.outer(np.diff([*top, rows]), np.diff([*left, columns]))
    means: NDArray[np.float32] = (sums / sizes).astype(np.float32)
    return means


def read_grayscale(path: str | os.PathLike[str], height: int, width: int) -> NDArray[np.float32]:
    """Read a video as gray frames by area averaging, float32 (frames, height, width), 0..255.

    Raises `DataError` where the file is missing, is not a video or is smaller than `height` x
    `width`.
    """
    import av

    try:
        with av.open(os.fspath(path), metadata_errors="replace") as opened:
            frames = [frame.to_ndarray(format="gray") for frame in opened.decode(video=0)]
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise DataError(f"{path}: is not a complete video ({error})") from error
    if not frames:
        raise DataError(f"{path}: has no frames; download it again")
    return area_resize(np.stack(frames), height, width)
