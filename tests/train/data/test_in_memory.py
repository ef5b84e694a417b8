"""Datasets of arrays and of map-style torch datasets."""

import copy
import pickle
import re
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils.data import TensorDataset

from pumice.runtime.errors import DataError
from pumice.train.data import from_arrays, from_torch

RANDOM = np.random.default_rng(0)
EVENTS = RANDOM.integers(0, 2, (4, 6, 2, 3, 5)).astype(np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])
IMAGES = RANDOM.integers(0, 256, (6, 3, 5, 7)).astype(np.uint8)


def halves(x: NDArray[Any], axis: int = 0) -> tuple[Any, ...]:
    """The first four samples to train, the last two to test."""
    train, test = np.split(x, [4], axis=axis)
    return train, LABELS[:4], test, LABELS[4:]


def test_event_sequences_are_taken_as_they_are() -> None:
    data = from_arrays(*halves(EVENTS, axis=1))
    assert np.array_equal(data.train.events, EVENTS[:, :4])
    assert np.array_equal(data.test.events, EVENTS[:, 4:])
    assert (data.input_shape, data.timesteps, data.classes) == ((2, 3, 5), 4, 3)
    assert data.test.labels.tolist() == [1, 2] and data.validation is None
    assert data.provenance["options"]["timesteps"] == 4 and len(data.digest) == 64


@pytest.mark.parametrize("dtype", [bool, np.int64, np.float32])
def test_events_of_other_types_are_cast_without_loss(dtype: type) -> None:
    data = from_arrays(*halves(EVENTS.astype(dtype), axis=1))
    assert data == from_arrays(*halves(EVENTS, axis=1))


def test_features_become_channels_of_one_pixel() -> None:
    data = from_arrays(*halves(EVENTS.reshape(4, 6, 30), axis=1))
    assert data.input_shape == (30, 1, 1)
    assert np.array_equal(data.train.events[..., 0, 0], EVENTS.reshape(4, 6, 30)[:, :4])


@pytest.mark.parametrize(
    ("images", "shape"),
    [(IMAGES, (3, 5, 7)), (IMAGES[:, 0], (1, 5, 7)), (IMAGES[:, 0, 0], (7, 1, 1))],
)
def test_static_samples_are_repeated_over_time_and_held_once(
    images: NDArray[np.uint8], shape: tuple[int, ...]
) -> None:
    data = from_arrays(*halves(images), timesteps=9)
    assert (data.timesteps, data.input_shape) == (9, shape)
    assert (data.train.events.reshape(9, -1) == images[:4].reshape(1, -1)).all()
    assert data.train.events.strides[0] == 0


def test_fractions_are_scaled_to_bytes_in_all_parts() -> None:
    black = np.zeros((2, 5, 7))  # integers, had it no other part beside it
    data = from_arrays(IMAGES[:4, 0] / 255, LABELS[:4], black + 1, [1, 2], timesteps=2)
    assert np.array_equal(data.train.events[0, :, 0], IMAGES[:4, 0])
    assert (data.test.events == 255).all()


def test_a_validation_part_and_a_number_of_classes_are_kept() -> None:
    data = from_arrays(
        *halves(EVENTS, axis=1), validation=(EVENTS[:, :2], LABELS[:2]), classes=5, name="mine"
    )
    assert data.validation is not None and len(data.validation) == 2
    assert (data.classes, data.name) == (5, "mine")


def test_the_digest_depends_on_the_values() -> None:
    other = EVENTS.copy()
    other[0, 0] ^= 1
    assert from_arrays(*halves(EVENTS, axis=1)).digest != from_arrays(*halves(other, axis=1)).digest


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (IMAGES, {}, r"x_train: shape \(4, 3, 5, 7\), needs .*static samples need timesteps="),
        (EVENTS, {"timesteps": 3}, "x_train: shape .* event sequences need no timesteps="),
        (IMAGES * 2.0, {"timesteps": 3}, "x_train: value 430"),
        (IMAGES - 0.5, {"timesteps": 3}, "x_train: holds .*or real numbers from 0 to 1"),
        (EVENTS.swapaxes(0, 1) / 2, {}, "x_train: value 0.5 "),
    ],
)
def test_arrays_that_are_no_samples_are_rejected(
    x: NDArray[Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        from_arrays(*halves(x), **options)


def test_a_torch_dataset_of_images_gives_the_dataset_of_its_arrays() -> None:
    train, y_train, test, y_test = (torch.as_tensor(each) for each in halves(IMAGES))
    data = from_torch(TensorDataset(train, y_train), TensorDataset(test, y_test), timesteps=3)
    expected = from_arrays(*halves(IMAGES), timesteps=3)
    assert data.train == expected.train and data.test == expected.test


def test_a_torch_dataset_of_sequences_has_time_first_in_each_sample() -> None:
    sequences = torch.as_tensor(EVENTS.swapaxes(0, 1).copy())
    parts = [
        TensorDataset(sequences[k], torch.as_tensor(LABELS[k])) for k in (slice(4), slice(4, 6))
    ]
    data = from_torch(*parts, validation=parts[1])
    assert np.array_equal(data.train.events, EVENTS[:, :4])
    assert data.validation == data.test


def test_samples_of_several_shapes_are_rejected() -> None:
    samples = [(np.zeros((n, 2, 2)), 0) for n in (3, 4)]
    message = "dataset: samples have shapes (3, 2, 2), (4, 2, 2); needs one shape"
    with pytest.raises(DataError, match=re.escape(message)):
        from_torch(samples, samples)


@pytest.mark.parametrize("pair", [np.zeros((2, 2)), (np.zeros((2, 2)), "cat"), (np.zeros(2),)])
def test_samples_without_an_integer_label_are_rejected(pair: Any) -> None:
    message = "dataset: sample 1 is not a pair of array and label"
    with pytest.raises(DataError, match=message) as caught:
        from_torch([(np.zeros((2, 2)), 0), pair], [(np.zeros((2, 2)), 0)], timesteps=1)
    assert "\n" not in str(caught.value)


class PilImage:
    """Stands for a PIL image: an array with channels last."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels

    def getbands(self) -> tuple[str, ...]:
        return ("R", "G", "B")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.uint8]:
        return self.pixels


def test_pil_images_have_their_channels_moved_first() -> None:
    images = [(PilImage(np.moveaxis(image, 0, -1)), 0) for image in IMAGES]
    data = from_torch(images, images[:1], timesteps=2)
    assert np.array_equal(data.train.events[0], IMAGES)


def test_a_dataset_survives_pickling_and_deep_copies() -> None:
    data = from_arrays(*halves(EVENTS, axis=1))
    assert pickle.loads(pickle.dumps(data)) == copy.deepcopy(data) == data
