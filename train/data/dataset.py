"""Labelled frames, and a data set of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from ...runtime.arrays import ValueEquality, as_readonly
from ...runtime.errors import DataError
from .split import stratified_split


@dataclass(frozen=True, eq=False)
class FrameSet(ValueEquality):
    """Frames with a label each.

    `frames`: uint8 (samples, timesteps, channels, height, width), events of a pixel in a timestep;
    channel 0 holds OFF events and channel 1 ON events where there are two. `labels`: int64
    (samples,), 0 upwards. Both are kept as read-only copies, or as they are where they are
    read-only already, such as images repeated over time. Raises `DataError` where they differ
    in number, are empty, of another rank or hold other values.
    """

    frames: NDArray[np.uint8]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        for name, dtype in (("frames", np.uint8), ("labels", np.int64)):
            given = getattr(self, name)
            if given.dtype != dtype or given.flags.writeable:
                object.__setattr__(self, name, as_readonly(given, dtype, name, DataError))
        if self.frames.ndim != 5:
            raise DataError(
                f"frames: shape {self.frames.shape}, needs "
                "(samples, timesteps, channels, height, width)"
            )
        if self.labels.shape != self.frames.shape[:1]:
            raise DataError(
                f"labels: shape {self.labels.shape}, but there are {len(self.frames)} samples"
            )
        if 0 in self.frames.shape:
            raise DataError(f"frames: shape {self.frames.shape} is empty, needs a sample or more")
        if self.labels.min() < 0:
            raise DataError(f"labels: hold {self.labels.min()}, need 0 or more")

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset(ValueEquality):
    """A data set: its `train` and `test` frames, and where they come from.

    `classes`: how many there are; labels run from 0 to `classes` - 1. `digest`: SHA-256 of the
    frames, the labels and the options that made them, in hexadecimal. `provenance`: source,
    licence, split and settings, as plain values.

    Raises `DataError` where the two sets differ in shape or a label has no class.
    """

    name: str
    train: FrameSet
    test: FrameSet
    classes: int
    digest: str
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))
        train, test = self.train.frames.shape[1:], self.test.frames.shape[1:]
        if train != test:
            raise DataError(f"{self.name}: train frames are {train}, but test frames are {test}")
        largest = max(self.train.labels.max(), self.test.labels.max())
        if largest >= self.classes:
            raise DataError(
                f"{self.name}: a label is {largest}, but there are {self.classes} classes"
            )


def compute_digest(train: FrameSet, test: FrameSet, options: BaseModel) -> str:
    """Return the SHA-256 of the contents and the options (the folder takes no part)."""
    described = options.model_dump_json(exclude={"folder"}, exclude_none=True)
    digest = hashlib.sha256(described.encode())
    for array in (train.frames, train.labels, test.frames, test.labels):
        digest.update(f"{array.dtype.str} {array.shape} ".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def hold_out(whole: FrameSet, per_class: int, seed: int) -> tuple[FrameSet, FrameSet]:
    """Return `whole` less `per_class` samples of each class, and those samples.

    This is how a test or validation set is taken: the same `seed` draws the same samples. Raises
    `DataError` where a class would run out.
    """
    rest, held = stratified_split(whole.labels, per_class, seed)
    return (
        FrameSet(whole.frames[rest], whole.labels[rest]),
        FrameSet(whole.frames[held], whole.labels[held]),
    )


def train_val_split(data: Dataset, per_class: int, seed: int) -> tuple[FrameSet, FrameSet | None]:
    """Return what of `data` trains, and what is kept from it to validate: the same for a seed.

    Raises `DataError` where a class has too few training samples.
    """
    if not per_class:
        return data.train, None
    return hold_out(data.train, per_class, seed)
