"""Frames with labels, as training and evaluation take them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError


@dataclass(frozen=True)
class FrameSet:
    """Labelled clips: `frames` uint8 (samples, timesteps, channels, height, width), `labels` int64.

    Raises `DataError` where types, shapes or lengths do not fit, or there is no sample.
    """

    frames: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.frames.dtype != np.uint8 or self.frames.ndim != 5:
            raise DataError(
                f"frames are {self.frames.dtype} {self.frames.shape}, "
                "needs uint8 (samples, timesteps, channels, height, width)"
            )
        if self.labels.dtype != np.int64 or self.labels.shape != self.frames.shape[:1]:
            raise DataError(
                f"labels are {self.labels.dtype} {self.labels.shape}, "
                f"needs int64 {self.frames.shape[:1]}"
            )
        if 0 in self.frames.shape:
            raise DataError(f"frames of shape {self.frames.shape} are empty")
        self.frames.flags.writeable = False
        self.labels.flags.writeable = False


@dataclass(frozen=True)
class Data:
    """A data set ready for use: train and test apart, and what they are.

    `digest` is a SHA-256 over contents and options; `provenance` says where they come from.
    """

    name: str
    train: FrameSet
    test: FrameSet
    classes: int
    digest: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
