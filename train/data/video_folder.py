"""Videos in files, decoded when a clip is asked for."""

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

DECODER_THREADS = (
    2  # threads that look at files; PyAV leaves the interpreter alone while it decodes
)
CACHED_VIDEOS = 64  # decoded videos that a process keeps in memory


@dataclass(frozen=True, eq=False)
class VideoFolder:
    """Videos in files: a `VideoSource`.

    `files` and `lengths` (images, int64) have one entry a video, and `labels` one array: "class".
    `left_out` says of each file that cannot be used why.
    """

    options: VideoOptions
    files: tuple[Path, ...]
    lengths: NDArray[np.int64]
    labels: Mapping[str, NDArray[np.int64]]
    classes: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an image, (channels, height, width)."""
        return (1 if self.options.grayscale else 3, self.options.height, self.options.width)

    @property
    def value_bits(self) -> int:
        """Bits of a value: 8."""
        return 8

    def clip(self, video: int, positions: NDArray[np.int64]) -> Images:
        """Return the images of a video at `positions`, uint8 (positions, *shape)."""
        images: Images = _decode_cached(self.files[video], self.options)[positions]
        return images


def open_video_folder(
    options: VideoOptions, folders: Sequence[Path] = (), part: Part = "train"
) -> VideoFolder:
    """Return the videos of a part, each decoded once to see that it can be.

    They are in `options.folder`, or in `folders`. Raises `DataError`, naming the files, where more
    than the share `options.unreadable` of them cannot be used: absent, empty, of one image, or not
    a video.
    """
    found = list_videos(options, part, folders)
    classes = tuple(sorted({kind for _, kind in found}))
    with ThreadPoolExecutor(DECODER_THREADS) as pool:
        told = list(pool.map(lambda each: _count_images(each[0], options), found))
    left_out = tuple(each for each in told if isinstance(each, str))
    if len(left_out) > options.unreadable * len(found):
        shown = "; ".join(left_out[:3]) + ("; ..." if len(left_out) > 3 else "")
        raise DataError(
            f"{options.name}: {len(left_out)} of {len(found)} videos cannot be used, more than "
            f"data.unreadable = {options.unreadable}: {shown}"
        )
    kept = [(each, n) for each, n in zip(found, told, strict=True) if isinstance(n, int)]
    labels = np.array([classes.index(kind) for (_, kind), _ in kept], np.int64)
    return VideoFolder(
        options,
        tuple(file for (file, _), _ in kept),
        np.array([length for _, length in kept], np.int64),
        MappingProxyType({"class": labels}),
        classes,
        left_out,
    )


def _count_images(file: Path, options: VideoOptions) -> int | str:
    """Return how many images a file has, or why it cannot be used."""
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
    }
    return cached_array("video", parameters, lambda: decode_video(file, options))
