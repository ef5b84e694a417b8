"""Dataset `fashion-mnist`, from its idx files, compressed or not.

H. Xiao, K. Rasul and R. Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine
learning algorithms", arXiv 1708.07747, 2017; MIT license. MNIST has the same files.
"""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...runtime.errors import DataError
from .dataset import Dataset
from .images import Images, Labels, make_image_dataset
from .options import DataOptions

NAME = "fashion-mnist"
CLASSES = 10
PARTS = {"train": "train", "test": "t10k"}
UINT8 = 8  # type code of idx files


def load_fashion_mnist(options: DataOptions) -> Dataset:
    """Load the 60,000 training and 10,000 test images from `options.folder`.

    Raises `DataError` where a file is missing or damaged.
    """
    train, test = read_parts(NAME, options.folder)
    provenance = {
        "source": "Fashion-MNIST, https://github.com/zalandoresearch/fashion-mnist",
        "license": "MIT",
        "split": "as published",
    }
    return make_image_dataset(NAME, train, test, CLASSES, options, provenance)


def read_parts(name: str, folder: Path | None) -> list[tuple[Images, Labels]]:
    """Images uint8 (samples, 1, 28, 28) and labels of the training and the test part.

    Raises `DataError`, which begins with `name` where no folder is given.
    """
    if folder is None:
        raise DataError(f"{name}: no folder given; needs train-images-idx3-ubyte.gz and the others")
    return [_read_part(folder, prefix) for prefix in PARTS.values()]


def _read_part(folder: Path, prefix: str) -> tuple[Images, Labels]:
    images = read_idx(_find(folder, f"{prefix}-images-idx3-ubyte"), 3)
    labels = read_idx(_find(folder, f"{prefix}-labels-idx1-ubyte"), 1)
    if len(images) != len(labels) or labels.max() >= CLASSES:
        raise DataError(
            f"{folder}: {prefix} has {len(images)} images and {len(labels)} labels up to "
            f"{labels.max()}; needs as many, up to {CLASSES - 1}"
        )
    return images[:, None], labels.astype(np.int64)


def _find(folder: Path, name: str) -> Path:
    for file in (folder / f"{name}.gz", folder / name):
        if file.is_file():
            return file
    raise DataError(f"{NAME}: {folder}: has neither {name}.gz nor {name}")


def read_idx(file: Path, rank: int) -> NDArray[np.uint8]:
    """Read an idx file of uint8 values and `rank` axes, compressed where its name ends in `.gz`.

    Big-endian: two bytes 0, the type (8), the number of axes, their sizes in 32 bits, the values
    (Y. LeCun, http://yann.lecun.com/exdb/mnist). Raises `DataError` where it is damaged.
    """
    try:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read ({error}); fetch it again") from error
    header = 4 + 4 * rank
    if len(content) < header or content[:4] != bytes([0, 0, UINT8, rank]):
        raise DataError(f"{file}: is no idx file of bytes with {rank} axes")
    sizes = np.frombuffer(content, ">u4", rank, 4).astype(np.int64)
    if len(content) != header + sizes.prod() or not sizes.prod():
        raise DataError(
            f"{file}: has {len(content)} bytes, needs {header + sizes.prod()}; fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(sizes)
