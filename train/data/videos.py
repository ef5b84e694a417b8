"""Video sources, and videos in memory with labels of several kinds."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...runtime.arrays import as_readonly
from ...runtime.errors import DataError


class VideoSource(Protocol):
    """Source of videos that clips are taken from."""

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of frames of each video, int64 (videos,)."""

    @property
    def labels(self) -> Mapping[str, NDArray[np.int64]]:
        """Labels by kind, int64 (videos,) each."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a frame, (channels, height, width)."""

    @property
    def value_bits(self) -> int:
        """Bits per value, 1 or 8."""

    def clip(self, video: int, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Frames of a video at `positions`, uint8 (positions, *shape)."""


@dataclass(frozen=True, eq=False)
class Videos:
    """Videos of one length in memory, as read-only copies: a `VideoSource`.

    Args:
        frames: uint8 (videos, frames, channels, height, width).
        labels: Labels by kind, int64 (videos,) each, from 0.

    Raises:
        DataError: Numbers differ, a video is empty or a label is negative.
    """

    frames: NDArray[np.uint8]
    labels: Mapping[str, NDArray[np.int64]]

    def __post_init__(self) -> None:
        object.__setattr__(self, "frames", as_readonly(self.frames, np.uint8, "frames", DataError))
        if self.frames.ndim != 5 or 0 in self.frames.shape:
            raise DataError(
                f"frames: shape {self.frames.shape}, "
                "needs (videos, frames, channels, height, width), none of them 0"
            )
        labels = {k: as_readonly(v, np.int64, k, DataError) for k, v in self.labels.items()}
        object.__setattr__(self, "labels", MappingProxyType(labels))
        for name, array in labels.items():
            if array.shape != self.frames.shape[:1] or array.min() < 0:
                raise DataError(
                    f"{name}: labels of shape {array.shape}, but there are {len(self)} videos; "
                    "needs one per video, 0 or more"
                )

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a frame, (channels, height, width)."""
        return self.frames.shape[2:]

    @property
    def value_bits(self) -> int:
        """Bits per value: 1 where all are 0 or 1, else 8."""
        return 1 if self.frames.max() <= 1 else 8

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of frames of each video, int64 (videos,)."""
        return np.full(len(self), self.frames.shape[1])

    def clip(self, video: int, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Frames of a video at `positions`, uint8 (positions, channels, height, width).

        Raises `DataError` where a position is out of range.
        """
        if not (positions.min() >= 0 and positions.max() < self.frames.shape[1]):
            raise DataError(
                f"video {video}: has no frames {positions.min()} to {positions.max()}, only 0 to "
                f"{self.frames.shape[1] - 1}"
            )
        images: NDArray[np.uint8] = self.frames[video, positions]
        return images

    def select(self, indices: NDArray[np.int64]) -> "Videos":
        """Videos at `indices`, in that order."""
        labels = {name: array[indices] for name, array in self.labels.items()}
        return Videos(self.frames[indices], labels)
