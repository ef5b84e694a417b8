"""Datasets `cifar10` and `cifar100`, from local files.

A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009; no license is stated.
The binary version: https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from pathlib import Path

import numpy as np

from ...runtime.errors import DataError
from .dataset import Dataset
from .images import Images, Labels, make_image_dataset
from .options import DataOptions
from .recordings import NPZ_ERRORS

SIDE, CHANNELS = 32, 3
PIXELS = CHANNELS * SIDE * SIDE
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
# Files of the training part and of the test part, and number of label bytes before an image.
BINARY_FILES = {
    10: (tuple(f"data_batch_{k}.bin" for k in range(1, 6)), ("test_batch.bin",), 1),
    100: (("train.bin",), ("test.bin",), 2),
}


def load_cifar10(options: DataOptions) -> Dataset:
    """Load CIFAR-10 from `options.folder`; raises `DataError` where files are missing."""
    return _load("cifar10", 10, options)


def load_cifar100(options: DataOptions) -> Dataset:
    """Load CIFAR-100 with its fine labels from `options.folder`; raises `DataError`."""
    return _load("cifar100", 100, options)


def _load(name: str, classes: int, options: DataOptions) -> Dataset:
    """Read the binary version, or one `.npz` of x_train, y_train, x_test and y_test."""
    train, test, labels = BINARY_FILES[classes]
    needs = f"needs {train[0]} and the other files of the binary version, or one .npz"
    folder = options.folder
    if folder is None:
        raise DataError(f"{name}: no folder given; {needs}")
    packed = sorted(folder.glob("*.npz"))
    if all((folder / file).is_file() for file in (*train, *test)):
        train_part, test_part = (
            _read_binary([folder / f for f in files], labels) for files in (train, test)
        )
    elif len(packed) == 1:
        train_part, test_part = _read_npz(packed[0])
    else:
        present = f"{len(packed)} .npz files" if folder.is_dir() else "no such folder"
        raise DataError(f"{name}: {folder}: {present}; {needs}")
    source = "CIFAR, https://www.cs.toronto.edu/~kriz/cifar.html"
    provenance = {"source": source, "split": "as published"}
    return make_image_dataset(name, train_part, test_part, classes, options, provenance)


def _read_binary(files: list[Path], labels: int) -> tuple[Images, Labels]:
    """Read rows of `labels` label bytes, of which the last is used, and the bytes of an image."""
    rows = []
    for file in files:
        raw = np.fromfile(file, np.uint8)
        if not raw.size or raw.size % (labels + PIXELS):
            raise DataError(
                f"{file}: has {raw.size} bytes, needs a multiple of {labels + PIXELS}; "
                "the file is truncated"
            )
        rows.append(raw.reshape(-1, labels + PIXELS))
    table = np.concatenate(rows)
    images = table[:, labels:].reshape(-1, CHANNELS, SIDE, SIDE)
    return images, table[:, labels - 1].astype(np.int64)


def _read_npz(file: Path) -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    try:
        with np.load(file, allow_pickle=False) as opened:
            arrays = [opened[name] for name in ARRAYS]
    except NPZ_ERRORS as error:
        message = " ".join(str(error).split())
        raise DataError(
            f"{file}: is not a complete .npz of {', '.join(ARRAYS)} ({message})"
        ) from error
    parts = []
    for images, labels in (arrays[:2], arrays[2:]):
        if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE, CHANNELS):
            raise DataError(
                f"{file}: images are {images.dtype} {images.shape}, needs uint8 "
                f"(samples, {SIDE}, {SIDE}, {CHANNELS})"
            )
        parts.append((images.transpose(0, 3, 1, 2), labels.astype(np.int64)))
    return parts[0], parts[1]
