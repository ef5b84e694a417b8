"""Decode video files with PyAV."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from ...runtime.input_file import open_input
from .pyav import import_av, scale
from .video_options import VideoOptions

Images = NDArray[np.uint8]
MATRIX_BYTES = 36


def decode_video(path: Path, options: VideoOptions) -> Images:
    """Decode all frames of a video, uint8 (frames, channels, height, width), in file order.

    One channel with `options.grayscale`, else red, green and blue; resized to the height and width
    of `options`, upright: rotated and mirrored by the display matrix, to the nearest quarter turn,
    as players show them. Frames that cannot be decoded are skipped, metadata of any encoding is
    accepted, and frame rates are ignored. Raises `DataError` where fewer than two frames are left,
    and `MissingPackage` without PyAV.
    """
    images = list(_iter_images(path, options))
    if len(images) < 2:
        raise DataError(
            f"{path.name}: has {len(images)} frames that can be decoded, needs 2 or more"
        )
    return np.stack(images)


def _iter_images(path: Path, options: VideoOptions) -> Iterator[Images]:
    av = import_av("videos")
    pixel_format = "gray" if options.grayscale else "rgb24"
    try:
        # Opened here: FFmpeg takes some names for patterns.
        with open_input(path) as file, av.open(file, metadata_errors="replace") as container:
            if not container.streams.video:
                raise DataError(f"{path.name}: holds no video")
            stream = container.streams.video[0]
            for frame in _iter_frames(av, container, stream):
                orientation = _read_orientation(frame)
                sides = options.width, options.height
                width, height = sides[::-1] if orientation.is_transposed else sides
                image = scale(av, frame, width, height, pixel_format).to_ndarray()
                image = _orient(image, orientation)
                yield image[None] if options.grayscale else np.moveaxis(image, -1, 0)
    except (av.FFmpegError, OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise DataError(str(error).replace(f"{path}: ", f"{path.name}: ")) from None
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


class _Orientation(NamedTuple):
    """Orientation of a decoded frame: transposed first, then flipped."""

    is_transposed: bool = False
    flips_rows: bool = False
    flips_columns: bool = False


def _read_orientation(frame: Any) -> _Orientation:
    """Read the display matrix of a frame.

    A decoded pixel (x, y) is shown at (a x + c y, b x + d y) plus an offset; a, b, c and d are
    elements 0, 1, 3 and 4 of the 9 integers of the matrix. Source: FFmpeg's libavutil/display.h.
    """
    matrix = next((bytes(d) for d in frame.side_data if d.type.name == "DISPLAYMATRIX"), b"")
    if len(matrix) < MATRIX_BYTES:
        return _Orientation()
    a, b, _, c, d = np.frombuffer(matrix, np.int32, 5).astype(np.int64).tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return _Orientation(False, flips_rows=d < 0, flips_columns=a < 0)
    return _Orientation(True, flips_rows=b < 0, flips_columns=c < 0)


def _orient(image: Images, orientation: _Orientation) -> Images:
    """Turn a frame, (height, width) or (height, width, channels), as it is shown."""
    if orientation.is_transposed:
        image = image.swapaxes(0, 1)
    rows, columns = (-1 if flips else 1 for flips in orientation[1:])
    return image[::rows, ::columns]
