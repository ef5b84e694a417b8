"""Image files as frames: scaled, cropped to the middle square, repeated over time."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....runtime.errors import DataError
from ....runtime.input_file import open_input
from ..file_frames import FileList, Reader
from ..images import quantize_images
from ..options import DataOptions
from ..pyav import import_av, scale
from ..sources import DecodedSource

IMAGE_SUFFIXES = {".jpeg", ".jpg", ".png", ".ppm", ".bmp", ".webp"}
SIDE = 64  # default of `size`, pixels


@dataclass(frozen=True)
class ImageFrames:
    """Decoder of an image file to uint8 (3, side, side), after average pooling by `pool`."""

    side: int
    options: DataOptions

    def __call__(self, file: Path) -> NDArray[np.uint8]:
        """Pixels of the image; raises `DataError` where it cannot be read."""
        images: NDArray[np.uint8] = quantize_images(read_image(file, self.side)[None], self.options)
        return np.asarray(images[0])


def make_image_reader(files: FileList, training: NDArray[np.int64], options: DataOptions) -> Reader:
    """Make a reader of images whose shorter side becomes `options.size` pixels (default 64)."""
    decode = ImageFrames(options.size or SIDE, options)
    blank = np.zeros((1, 3, decode.side, decode.side), np.uint8)
    shape = options.timesteps, *quantize_images(blank, options).shape[1:]
    limit = 255 >> (8 - options.value_bits)
    return Reader(DecodedSource(files, decode, shape, static=True, max_value=limit))


def read_image(file: Path, side: int) -> NDArray[np.uint8]:
    """Read an image, scale its shorter side to `side` and crop its center: uint8 (3, side, side).

    Raises `DataError` where the file is not an image, and `MissingPackage` without PyAV.
    """
    av = import_av("images")
    try:
        with open_input(file) as raw, av.open(raw, "r") as opened:
            opened.streams.video[0].thread_type = "NONE"  # workers share the images
            frame = next(opened.decode(video=0))
            factor = side / min(frame.width, frame.height)
            width, height = (max(side, round(n * factor)) for n in (frame.width, frame.height))
            pixels = scale(av, frame, width, height, "rgb24", interpolation="AREA").to_ndarray()
    except DataError:
        raise
    except (av.FFmpegError, OSError, StopIteration, ValueError, IndexError) as error:
        message = " ".join(str(error).split())
        raise DataError(f"{file}: cannot be read as an image ({message})") from error
    top, left = (height - side) // 2, (width - side) // 2
    center = pixels[top : top + side, left : left + side]
    return np.ascontiguousarray(center.transpose(2, 0, 1))
