"""Where clips start in a video, and which of its images they hold."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field


class ClipOptions(BaseModel):
    """How clips are cut: `timesteps` images, every `stride`-th; one later by a gap of 0 to `gap`.

    The gap is counted in images from the end of the first clip to the start of the later one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    timesteps: int = Field(default=8, ge=2)
    stride: int = Field(default=1, ge=1)
    gap: int = Field(default=8, ge=0)

    @property
    def span(self) -> int:
        """Images from the first of a clip to its last, both counted."""
        return (self.timesteps - 1) * self.stride + 1


def sample_clip_starts(
    length: int, options: ClipOptions, generator: np.random.Generator
) -> tuple[int, int]:
    """Return where a clip and a later one start in a video of `length` images, drawn evenly.

    The later one begins after the clip has ended, where the video has images for both. A shorter
    video gives its last clip for the later one, which may overlap the first, and one shorter than
    a clip gives 0 for both: `positions` then repeats its last image.
    """
    span = options.span
    if length < 2 * span:
        last = max(length - span, 0)
        return int(generator.integers(0, last + 1)), last
    start = int(generator.integers(0, length - 2 * span + 1))
    latest = min(start + span + options.gap, length - span)
    return start, int(generator.integers(start + span, latest + 1))


def uniform_clip_starts(length: int, options: ClipOptions, clips: int) -> NDArray[np.int64]:
    """Return where `clips` clips start, spread evenly over a video of `length` images."""
    last = max(length - options.span, 0)
    if clips == 1:
        return np.array([last // 2])
    return np.round(np.linspace(0, last, clips)).astype(np.int64)


def frame_indices(start: int, options: ClipOptions, length: int) -> NDArray[np.int64]:
    """Return which images a clip from `start` holds, int64 (timesteps,); the last is repeated."""
    wanted = start + options.stride * np.arange(options.timesteps)
    held: NDArray[np.int64] = np.minimum(wanted, length - 1)
    return held
