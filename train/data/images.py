"""Direct coding of images: the same frame at every timestep."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from .dataset import Dataset, FrameSet
from .options import DataOptions

Images = NDArray[np.uint8]  # (samples, channels, height, width)
Labels = NDArray[np.int64]


def repeat_over_time(images: Images, labels: Labels, options: DataOptions) -> FrameSet:
    """Repeat images over all timesteps, after average pooling; they are in memory once.

    Raises `DataError` where `options.pool` does not divide their sides.
    """
    pixels = np.ascontiguousarray(quantize_images(images, options))
    return FrameSet(np.broadcast_to(pixels, (options.timesteps, *pixels.shape)), labels)


def quantize_images(images: Images, options: DataOptions) -> Images:
    """Average squares of `options.pool` pixels and keep the `options.value_bits` highest bits.

    Raises `DataError` where `options.pool` does not divide the sides.
    """
    pooled = _average_pool(images, options.pool)
    return np.right_shift(pooled, 8 - options.value_bits, dtype=np.uint8)


def make_image_dataset(
    name: str,
    train: tuple[Images, Labels],
    test: tuple[Images, Labels],
    classes: int,
    options: DataOptions,
    provenance: dict[str, Any],
    validation: tuple[Images, Labels] | None = None,
) -> Dataset:
    """Dataset of images and labels; its digest is of the images, not repeated over time."""
    digest = hashlib.sha256(options.digest_json().encode())
    for array in (*train, *test):
        digest.update(f"{array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).data)
    provenance = {**provenance, "options": options.model_dump(mode="json", exclude={"folder"})}
    return Dataset(
        name,
        repeat_over_time(*train, options),
        repeat_over_time(*test, options),
        classes,
        digest.hexdigest(),
        provenance,
        None if validation is None else repeat_over_time(*validation, options),
    )


def _average_pool(images: Images, factor: int) -> Images:
    if factor == 1:
        return images
    samples, channels, height, width = images.shape
    if height % factor or width % factor:
        raise DataError(f"pool is {factor}, but images are {height} x {width}; needs a divisor")
    squares = images.reshape(samples, channels, height // factor, factor, width // factor, factor)
    mean: Images = np.rint(squares.mean(axis=(3, 5))).astype(np.uint8)
    return mean
