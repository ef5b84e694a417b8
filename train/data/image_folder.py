"""Dataset `images`: image files in one folder per class, as ImageNet is unpacked.

`FOLDER/train/CLASS/*` and `FOLDER/val/CLASS/*` (or `test`). Each image is scaled so that its
shorter side has `size` pixels, and cropped to its center; the result is cached under the names,
sizes and times of the files.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError, MissingPackage
from .cache import cached_array
from .dataset import Dataset
from .images import Images, Labels, make_image_dataset
from .options import DataOptions

NAME = "images"
IMAGE_SUFFIXES = {".jpeg", ".jpg", ".png", ".ppm", ".bmp", ".webp"}
SIDE = 64  # default of `size`, pixels
EXPECTED_FILES = "needs train/ and val/ (or test/) with a folder of images per class"


def load_image_folder(options: DataOptions) -> Dataset:
    """Load the images under `options.folder`; labels are in alphabetical order of class folders.

    Raises `DataError` where folders are missing, the parts differ in their classes, or a file
    cannot be read as an image.
    """
    folder = options.folder
    if folder is None:
        raise DataError(f"{NAME}: no folder given; {EXPECTED_FILES}")
    test_folder = next(
        (folder / part for part in ("val", "test") if (folder / part).is_dir()), None
    )
    if test_folder is None or not (folder / "train").is_dir():
        raise DataError(f"{NAME}: {folder}: {EXPECTED_FILES}")
    classes = _list_classes(folder / "train")
    if _list_classes(test_folder) != classes:
        raise DataError(
            f"{NAME}: {test_folder}: its class folders are not those of {folder / 'train'}"
        )
    side = options.size or SIDE
    train, test = (_load_part(part, classes, side) for part in (folder / "train", test_folder))
    provenance = {
        "source": f"images in folders, {', '.join(classes)}"[:1000],
        "split": test_folder.name,
    }
    return make_image_dataset(NAME, train, test, len(classes), options, provenance)


def _list_classes(folder: Path) -> list[str]:
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    if not classes:
        raise DataError(f"{NAME}: {folder}: has no folders; {EXPECTED_FILES}")
    return classes


def _load_part(folder: Path, classes: Sequence[str], side: int) -> tuple[Images, Labels]:
    files = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((folder / name).iterdir())
        if file.suffix.lower() in IMAGE_SUFFIXES
    ]
    if not files:
        raise DataError(f"{NAME}: {folder}: has no images ({', '.join(sorted(IMAGE_SUFFIXES))})")
    labels = np.array([label for _, label in files], np.int64)
    return load_images([file for file, _ in files], folder, side), labels


def load_images(files: Sequence[Path], folder: Path, side: int) -> Images:
    """Read image files as uint8 (images, 3, side, side), from the cache where they are unchanged.

    The cache key holds the names relative to `folder`, the sizes and the times of the files.
    """
    listing = [(str(file.relative_to(folder)), *os.stat(file)[6:9:2]) for file in files]
    return cached_array(
        NAME,
        {"files": listing, "side": side},
        lambda: np.stack([read_image(file, side) for file in files]),
    )


def read_image(file: Path, side: int) -> NDArray[np.uint8]:
    """Read an image, scale its shorter side to `side` and crop its center: uint8 (3, side, side).

    Raises `DataError` where the file is not an image, and `MissingPackage` without PyAV.
    """
    try:
        import av
    except ImportError as error:
        raise MissingPackage(f"{NAME} needs PyAV: pip install 'pumice[train]'") from error
    try:
        with av.open(str(file)) as opened:
            frame = next(opened.decode(video=0))
            scale = side / min(frame.width, frame.height)
            width, height = (max(side, round(n * scale)) for n in (frame.width, frame.height))
            scaled = frame.reformat(width, height, "rgb24", interpolation="AREA").to_ndarray()
    except (av.FFmpegError, OSError, StopIteration, ValueError, IndexError) as error:
        raise DataError(f"{file}: cannot be read as an image ({error})") from error
    top, left = (height - side) // 2, (width - side) // 2
    center = scaled[top : top + side, left : left + side]
    return np.ascontiguousarray(center.transpose(2, 0, 1))
