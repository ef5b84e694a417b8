"""Clip sampling: start frames and frame indices of clips in a video."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ...runtime.config import Options


class ClipOptions(Options):
    """Clips of videos, in pairs.

    - `timesteps`: frames of a clip.
    - `stride`: distance of consecutive frames of a clip, in frames of the video.
    - `gap`: maximum number of frames from the end of the first clip to the start of the later one.
    """

    timesteps: int = Field(default=8, ge=2)
    stride: int = Field(default=1, ge=1)
    gap: int = Field(default=8, ge=0)

    @property
    def span(self) -> int:
        """Number of frames from the first of a clip to its last, inclusive."""
        return (self.timesteps - 1) * self.stride + 1


def sample_clip_starts(
    length: int, options: ClipOptions, generator: np.random.Generator
) -> tuple[int, int]:
    """Sample the start frames of a clip and of a later one in a video of `length` frames.

    Both are uniform. The later clip starts after the first has ended, where the video has frames
    for both. In a shorter video the later clip is the last one, which may overlap the first, and in
    one shorter than a clip both start at 0: `frame_indices` then repeats the last frame.
    """
    span = options.span
    if length < 2 * span:
        last = max(length - span, 0)
        return int(generator.integers(0, last + 1)), last
    start = int(generator.integers(0, length - 2 * span + 1))
    latest = min(start + span + options.gap, length - span)
    return start, int(generator.integers(start + span, latest + 1))


def uniform_clip_starts(length: int, options: ClipOptions, clips: int) -> NDArray[np.int64]:
    """Start frames of `clips` clips, evenly spaced over a video of `length` frames."""
    last = max(length - options.span, 0)
    if clips == 1:
        return np.array([last // 2])
    return np.round(np.linspace(0, last, clips)).astype(np.int64)


def frame_indices(start: int, options: ClipOptions, length: int) -> NDArray[np.int64]:
    """Frame indices of the clip at `start`, int64 (timesteps,); past the end the last repeats."""
    indices = start + options.stride * np.arange(options.timesteps)
    clipped: NDArray[np.int64] = np.minimum(indices, length - 1)
    return clipped
