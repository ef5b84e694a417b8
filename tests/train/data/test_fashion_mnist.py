"""Dataset `fashion-mnist` from its idx files."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from pumice.runtime.errors import DataError
from pumice.train.data import load

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 28, 28), np.uint8)
LABELS = (np.arange(12) % 10).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for prefix, part in (("train", slice(9)), ("t10k", slice(9, 12))):
        for kind, array in (("images-idx3", IMAGES[part]), ("labels-idx1", LABELS[part])):
            header = bytes([0, 0, 8, array.ndim])
            sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
            file = tmp_path / f"{prefix}-{kind}-ubyte.gz"
            file.write_bytes(gzip.compress(header + sizes + array.tobytes()))
    return tmp_path


def test_images_and_labels_are_those_of_the_files(folder: Path) -> None:
    data = load("fashion-mnist", folder=folder, timesteps=3)
    assert data.classes == 10 and data.input_shape == (1, 28, 28)
    assert np.array_equal(data.train.events[2, :, 0], IMAGES[:9])
    assert np.array_equal(data.test.labels, LABELS[9:])
    plain = folder / "t10k-images-idx3-ubyte.gz"
    plain.with_suffix("").write_bytes(gzip.decompress(plain.read_bytes()))
    plain.unlink()
    assert load("fashion-mnist", folder=folder, timesteps=3) == data


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte.gz", b"no gzip", "images-idx3-ubyte.gz: cannot be read"),
        (
            "t10k-labels-idx1-ubyte.gz",
            gzip.compress(b"\0\0\x08\x03", mtime=0),
            "is no idx file of bytes wit",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            gzip.compress(b"\0\0\x08\x01\0\0\0\x09" + bytes(8), mtime=0),
            "has 16 bytes, needs 17; fetch it again",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            gzip.compress(b"\0\0\x08\x01\0\0\0\x08" + bytes(8), mtime=0),
            "train has 9 images and 8 labels",
        ),
    ],
)
def test_damaged_files_are_named(folder: Path, name: str, content: bytes, message: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load("fashion-mnist", folder=folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="has neither t10k-labels-idx1-ubyte.gz nor t10k-labels"):
        load("fashion-mnist", folder=folder)


def test_the_published_files_have_60_000_and_10_000_images(shared_data: Path) -> None:
    data = load("fashion-mnist", folder=shared_data / "fashion_mnist", timesteps=2)
    assert (len(data.train), len(data.test)) == (60_000, 10_000)
    assert np.bincount(data.train.labels).tolist() == [6000] * 10
    assert data.train.events.strides[0] == 0
