"""Video files as a `VideoSource`, decoded when a clip is requested."""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from .cache import cached_array
from .video_file import Images, decode_video
from .video_lists import list_videos
from .video_options import Part, VideoOptions

DECODER_THREADS = 2  # threads that count frames; PyAV releases the GIL while it decodes
CACHED_VIDEOS = 64  # decoded videos in the memory of a process


@dataclass(frozen=True, eq=False)
class VideoFolder:
    """Video files: a `VideoSource`.

    `files` and `lengths` (frames, int64) have one entry per video, and `labels` one array, "class".
    `skipped` has the reason for each file that cannot be used.
    """

    options: VideoOptions
    files: tuple[Path, ...]
    lengths: NDArray[np.int64]
    labels: Mapping[str, NDArray[np.int64]]
    classes: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a frame, (channels, height, width)."""
        return (1 if self.options.grayscale else 3, self.options.height, self.options.width)

    @property
    def value_bits(self) -> int:
        """Bits per value: 8."""
        return 8

    def clip(self, video: int, positions: NDArray[np.int64]) -> Images:
        """Frames of a video at `positions`, uint8 (positions, *shape)."""
        images: Images = _decode_cached(self.files[video], self.options)[positions]
        return images


def open_video_folder(
    options: VideoOptions, folders: Sequence[Path] = (), part: Part = "train"
) -> VideoFolder:
    """Open the videos of a part; each is decoded once to check it and to count its frames.

    They are in `options.folder`, or in `folders`. Raises `DataError`, naming the files, where more
    than the fraction `options.unreadable` of them cannot be used: missing, empty, of one frame, or
    not a video.
    """
    videos = list_videos(options, part, folders)
    classes = tuple(sorted({label for _, label in videos}))
    with ThreadPoolExecutor(DECODER_THREADS) as pool:
        counts = list(pool.map(lambda video: _count_images(video[0], options), videos))
    skipped = tuple(count for count in counts if isinstance(count, str))
    if len(skipped) > options.unreadable * len(videos):
        examples = "; ".join(skipped[:3]) + ("; ..." if len(skipped) > 3 else "")
        raise DataError(
            f"{options.name}: {len(skipped)} of {len(videos)} videos cannot be used, more than "
            f"data.unreadable = {options.unreadable}: {examples}"
        )
    usable = [
        (*video, count)
        for video, count in zip(videos, counts, strict=True)
        if isinstance(count, int)
    ]
    labels = np.array([classes.index(label) for _, label, _ in usable], np.int64)
    return VideoFolder(
        options,
        tuple(file for file, _, _ in usable),
        np.array([count for _, _, count in usable], np.int64),
        MappingProxyType({"class": labels}),
        classes,
        skipped,
    )


def _count_images(file: Path, options: VideoOptions) -> int | str:
    """Number of frames of a file, or the reason that it cannot be used."""
    try:
        return len(_decode_cached(file, options))
    except DataError as error:
        return str(error)


@lru_cache(CACHED_VIDEOS)
def _decode_cached(file: Path, options: VideoOptions) -> Images:
    if not options.cache:
        return decode_video(file, options)
    state = file.stat()
    parameters = {
        "file": hashlib.sha256(str(file.resolve()).encode()).hexdigest(),
        "bytes": state.st_size,
        "changed": state.st_mtime_ns,
        "size": [options.height, options.width, options.grayscale],
        "orientation": "display matrix",
    }
    return cached_array("video", parameters, lambda: decode_video(file, options))
