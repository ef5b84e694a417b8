"""Decode video files with PyAV."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError, MissingPackage
from .video_options import VideoOptions

Images = NDArray[np.uint8]


def decode_video(path: Path, options: VideoOptions) -> Images:
    """Decode all frames of a video, uint8 (frames, channels, height, width), in file order.

    One channel with `options.grayscale`, else red, green and blue; resized to the height and width
    of `options`. Frames that cannot be decoded are skipped, metadata of any encoding is accepted,
    and frame rates are ignored. Raises `DataError` where fewer than two frames are left, and
    `MissingPackage` without PyAV.
    """
    images = list(_iter_images(path, options))
    if len(images) < 2:
        raise DataError(
            f"{path.name}: has {len(images)} frames that can be decoded, needs 2 or more"
        )
    return np.stack(images)


def _iter_images(path: Path, options: VideoOptions) -> Iterator[Images]:
    av = _import_av()
    pixel_format = "gray" if options.grayscale else "rgb24"
    try:
        # Opened here: FFmpeg takes some names for patterns.
        with path.open("rb") as file, av.open(file, metadata_errors="replace") as container:
            if not container.streams.video:
                raise DataError(f"{path.name}: holds no video")
            stream = container.streams.video[0]
            for frame in _iter_frames(av, container, stream):
                sized = frame.reformat(options.width, options.height, pixel_format)
                image = sized.to_ndarray()
                yield image[None] if options.grayscale else np.moveaxis(image, -1, 0)
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        message = " ".join(str(error).split())
        raise DataError(f"{path.name}: cannot be read ({message})") from error


def _iter_frames(av: Any, container: Any, stream: Any) -> Iterator[Any]:
    """Frames that can be decoded; a broken packet loses only its own."""
    try:
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.FFmpegError:
                continue
    except av.FFmpegError:
        return  # a truncated file: the frames before are used


def _import_av() -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingPackage("videos need PyAV: pip install 'pumice[train]'") from error
    av.logging.set_level(av.logging.PANIC)
    return av
