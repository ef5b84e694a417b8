"""Torch datasets and mapped arrays are read when their samples are asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pumice.runtime.errors import DataError
from pumice.train.data import from_arrays, from_torch
from pumice.train.data.sources import ArraySource, FileSource

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 3, 5, 7)).astype(np.uint8)
LABELS = np.arange(40) % 4


class CountedImages:
    """A dataset with `targets`, as torchvision has them, that counts its reads."""

    def __init__(self, images: NDArray[Any]) -> None:
        self.images, self.targets, self.reads = images, LABELS[: len(images)].tolist(), 0

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], int]:
        self.reads += 1
        return self.images[index], self.targets[index]


def test_with_targets_and_a_largest_value_one_sample_is_read_in_advance() -> None:
    train, test = CountedImages(IMAGES), CountedImages(IMAGES[:10])
    data = from_torch(train, test, timesteps=3, max_value=255)
    assert (train.reads, test.reads) == (1, 1)
    assert data.train.labels.tolist() == LABELS.tolist() and data.train.max_value == 255
    events, label = data.train[17]
    assert train.reads == 2 and label == 1
    assert np.array_equal(events[2], IMAGES[17])


def test_all_samples_are_examined_in_processes_otherwise() -> None:
    data = from_torch(CountedImages(IMAGES // 4), CountedImages(IMAGES[:10] // 8), timesteps=3)
    assert data.train.max_value == (IMAGES // 4).max()
    assert np.array_equal(data.train.events[0], IMAGES // 4)
    changed = IMAGES // 4
    changed[39, 2, 4, 6] ^= 1
    other = from_torch(CountedImages(changed), CountedImages(IMAGES[:10] // 8), timesteps=3)
    assert other.digest != data.digest


def test_fractions_are_scaled_and_a_sample_outside_of_them_is_named() -> None:
    fractions = IMAGES / 255
    data = from_torch(CountedImages(fractions), CountedImages(fractions[:10]), timesteps=2)
    assert np.array_equal(data.train.events[1], IMAGES)
    fractions[33, 0, 0, 0] = 1.5
    with pytest.raises(DataError, match="dataset: holds 0..1.5, needs integers from 0 to 255 or"):
        from_torch(CountedImages(fractions), CountedImages(fractions[:10]), timesteps=2)
    trusted = from_torch(
        CountedImages(fractions), CountedImages(fractions[:10]), timesteps=2, max_value=255
    )
    with pytest.raises(DataError, match="dataset: sample 33: holds 0.*..1.5, needs integers"):
        list(trusted.train.batches(8))


def test_samples_of_another_rank_are_rejected() -> None:
    volumes = CountedImages(IMAGES[:, None])
    with pytest.raises(
        DataError, match=r"train: samples have shape \(3, 5, 7\).* need timesteps=N"
    ):
        from_torch(CountedImages(IMAGES), CountedImages(IMAGES))
    with pytest.raises(DataError, match=r"train: samples have shape \(1, 3, 5, 7\), needs"):
        from_torch(volumes, volumes, timesteps=2)


def test_a_mapped_array_of_images_is_not_copied(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", IMAGES)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    data = from_arrays(mapped, LABELS, mapped, LABELS, timesteps=3)
    expected = from_arrays(IMAGES, LABELS, IMAGES, LABELS, timesteps=3)
    assert isinstance(data.train.source, FileSource)
    assert data.digest == expected.digest and data.train == expected.train
    part = from_arrays(mapped[5:9], LABELS[:4], mapped, LABELS, timesteps=3)
    assert isinstance(part.train.source, ArraySource)
    assert np.array_equal(part.train.events[0], IMAGES[5:9])
