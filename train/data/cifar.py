"""`cifar10` and `cifar100`: small photographs, from local files.

A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009; no licence is stated.
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
# The files of the training part and of the test part, and the bytes of labels before an image.
BINARY_FILES = {
    10: (tuple(f"data_batch_{k}.bin" for k in range(1, 6)), ("test_batch.bin",), 1),
    100: (("train.bin",), ("test.bin",), 2),
}


def load_cifar10(options: DataOptions) -> Dataset:
    """Return CIFAR-10 from `options.folder`; raises `DataError` where it is not there."""
    return _load("cifar10", 10, options)


def load_cifar100(options: DataOptions) -> Dataset:
    """Return CIFAR-100, with its fine labels, from `options.folder`; raises `DataError`."""
    return _load("cifar100", 100, options)


def _load(name: str, classes: int, options: DataOptions) -> Dataset:
    """Read the binary version, or one `.npz` of x_train, y_train, x_test and y_test."""
    train, test, labels = BINARY_FILES[classes]
    wanted = f"needs {train[0]} and the other files of the binary version, or one .npz"
    folder = options.folder
    if folder is None:
        raise DataError(f"{name}: no folder given; {wanted}")
    packed = sorted(folder.glob("*.npz"))
    if all((folder / file).is_file() for file in (*train, *test)):
        one, two = (_read_binary([folder / f for f in files], labels) for files in (train, test))
    elif len(packed) == 1:
        one, two = _read_npz(packed[0])
    else:
        found = f"{len(packed)} .npz files" if folder.is_dir() else "no such folder"
        raise DataError(f"{name}: {folder}: {found}; {wanted}")
    source = "CIFAR, https://www.cs.toronto.edu/~kriz/cifar.html"
    told = {"source": source, "split": "as published"}
    return make_image_dataset(name, one, two, classes, options, told)


def _read_binary(files: list[Path], labels: int) -> tuple[Images, Labels]:
    """Read rows of `labels` bytes of labels, the last of which is taken, and an image's bytes."""
    rows = []
    for file in files:
        raw = np.fromfile(file, np.uint8)
        if not raw.size or raw.size % (labels + PIXELS):
            raise DataError(
                f"{file}: has {raw.size} bytes, needs a multiple of {labels + PIXELS}; it was cut"
            )
        rows.append(raw.reshape(-1, labels + PIXELS))
    whole = np.concatenate(rows)
    images = whole[:, labels:].reshape(-1, CHANNELS, SIDE, SIDE)
    return images, whole[:, labels - 1].astype(np.int64)


def _read_npz(file: Path) -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    try:
        with np.load(file, allow_pickle=False) as held:
            arrays = [held[name] for name in ARRAYS]
    except NPZ_ERRORS as error:
        told = " ".join(str(error).split())
        raise DataError(f"{file}: is not a whole .npz of {', '.join(ARRAYS)} ({told})") from error
    parts = []
    for images, labels in (arrays[:2], arrays[2:]):
        if images.dtype != np.uint8 or images.shape[1:] != (SIDE, SIDE, CHANNELS):
            raise DataError(
                f"{file}: images are {images.dtype} {images.shape}, needs uint8 "
                f"(samples, {SIDE}, {SIDE}, {CHANNELS})"
            )
        parts.append((images.transpose(0, 3, 1, 2), labels.astype(np.int64)))
    return parts[0], parts[1]
