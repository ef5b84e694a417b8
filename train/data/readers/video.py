"""Video files as frames, evenly spaced over the video."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import DataError
from ..file_frames import FileList, FileRanges, Reader
from ..images import quantize_images
from ..options import DataOptions
from ..sources import DecodedSource
from ..video_file import decode_video
from ..video_options import VideoOptions

VIDEO_SUFFIXES = {".avi", ".mp4", ".m4v", ".mkv", ".mov", ".webm", ".mpg", ".mpeg", ".ogv"}
SIDE = 64  # default of `size`, pixels


@dataclass(frozen=True)
class VideoFrames:
    """Decoder of a video to `timesteps` of its images, evenly spaced from the first to the last.

    Of a part of a video, (file, first frame, last frame), of the frames that the file has of it.
    """

    video: VideoOptions
    options: DataOptions

    def __call__(self, item: Path | tuple[Path, int, int]) -> NDArray[np.uint8]:
        """Images, uint8 (timesteps, channels, side, side); raises `DataError`."""
        file, first, last = (item, 0, None) if isinstance(item, Path) else item
        try:
            images = decode_video(file, self.video)
        except DataError as error:  # it begins with the name of the file alone
            raise DataError(f"{file.parent}{os.sep}{error}") from None
        end = len(images) if last is None else min(last + 1, len(images))
        if end - first < 2:
            raise DataError(f"{file}: has {len(images)} frames, needs two from {first + 1} on")
        chosen = np.linspace(first, end - 1, self.options.timesteps).round().astype(np.int64)
        return quantize_images(images[chosen], self.options)


def make_video_reader(
    files: FileList | FileRanges, training: NDArray[np.int64], options: DataOptions
) -> Reader:
    """Make a reader of videos or parts of them, in `options.size` pixels a side (default 64).

    In gray with `values = "gray"`, else in red, green and blue.
    """
    side = options.size or SIDE
    gray = options.values == "gray"
    video = VideoOptions(name="folder", height=side, width=side, grayscale=gray)
    blank = np.zeros((options.timesteps, 1 if gray else 3, side, side), np.uint8)
    steps, channels, height, width = quantize_images(blank, options).shape
    limit = 255 >> (8 - options.value_bits)
    decode = VideoFrames(video, options)
    return Reader(DecodedSource(files, decode, (steps, channels, height, width), max_value=limit))
