"""From video and from events to spikes: uint8 (timesteps, 2, height, width), OFF and ON."""

import os

import av
import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError


def frame_differences(
    clip: NDArray[np.floating], spike_fraction: float = 0.05, timesteps: int | None = None
) -> NDArray[np.uint8]:
    """Return where a grey `clip` (frames, height, width) changes, uint8 (frames - 1, 2, h, w).

    The difference of adjacent frames gives an ON spike above a threshold and an OFF spike below
    its negative; the threshold is the quantile at which `share` of all pixels and steps spike, at
    least 1e-6: a still clip gives none. `timesteps` takes the first of them. Raises `DataError`.
    """
    if clip.ndim != 3 or len(clip) < 2:
        raise DataError(f"clip: shape {clip.shape}, needs (2 frames or more, height, width)")
    if not 0 < spike_fraction < 1:
        raise DataError(f"share is {spike_fraction}, needs between 0 and 1")
    change = np.diff(clip.astype(np.float32), axis=0)[:timesteps]
    threshold = max(float(np.quantile(np.abs(change), 1 - spike_fraction)), 1e-6)
    return np.stack([change < -threshold, change > threshold], axis=1).astype(np.uint8)


def area_resize(
    clip: NDArray[np.integer | np.floating], height: int, width: int
) -> NDArray[np.float32]:
    """Return a clip (frames, height, width) as means over areas, float32 (frames, height, width).

    Raises `DataError` where the clip is smaller than what is asked for.
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
    """Return a video as grey images, means over areas, float32 (frames, height, width), 0..255.

    Raises `DataError` where the file is absent, is no video or is smaller than asked for.
    """
    try:
        with av.open(os.fspath(path), metadata_errors="replace") as opened:
            frames = [frame.to_ndarray(format="gray") for frame in opened.decode(video=0)]
    except (OSError, IndexError, av.error.FFmpegError) as error:
        raise DataError(f"{path}: is not a whole video ({error})") from error
    if not frames:
        raise DataError(f"{path}: holds no frames; fetch it again")
    return area_resize(np.stack(frames), height, width)
