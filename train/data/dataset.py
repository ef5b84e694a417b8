"""Labeled event frames (`FrameSet`) and datasets of them (`Dataset`).

Events have one axis order everywhere: (timesteps, samples, channels, height, width), as in
`runtime.events`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from ...runtime.arrays import ValueEquality, as_readonly
from ...runtime.errors import DataError
from .split import stratified_split

EventArray = NDArray[np.uint8]  # (timesteps, samples, channels, height, width)
Labels = NDArray[np.int64]  # (samples,)


@dataclass(frozen=True, eq=False, repr=False)
class FrameSet(ValueEquality):
    """Event frames with one label per sample.

    `part[3]` is one sample, `(events (timesteps, channels, height, width), label)`; `part[:8]` and
    `part[indices]` are a `FrameSet` of those samples. Arrays are kept as read-only copies, or as
    they are where they are read-only already (such as images repeated over time).

    Args:
        events: uint8 (timesteps, samples, channels, height, width), the value of a pixel in a
            timestep; with two channels, channel 0 holds OFF events and channel 1 ON events.
        labels: int64 (samples,), class indices from 0.

    Raises:
        DataError: The arrays differ in number of samples, are empty, have another rank or hold
            values outside their type.
    """

    events: EventArray
    labels: Labels

    def __post_init__(self) -> None:
        for name, dtype in (("events", np.uint8), ("labels", np.int64)):
            array = getattr(self, name)
            if array.dtype != dtype or array.flags.writeable:
                object.__setattr__(self, name, as_readonly(array, dtype, name, DataError))
        if self.events.ndim != 5:
            raise DataError(
                f"events: shape {self.events.shape}, needs "
                "(timesteps, samples, channels, height, width)"
            )
        if self.labels.shape != self.events.shape[1:2]:
            raise DataError(
                f"labels: shape {self.labels.shape}, but there are {self.events.shape[1]} samples"
            )
        if 0 in self.events.shape:
            raise DataError(f"events: shape {self.events.shape} is empty, needs 1 or more samples")
        if self.labels.min() < 0:
            raise DataError(f"labels: hold {self.labels.min()}, need 0 or more")

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, index: int) -> tuple[EventArray, int]: ...
    @overload
    def __getitem__(self, index: slice | NDArray[Any]) -> "FrameSet": ...
    def __getitem__(self, index: int | slice | NDArray[Any]) -> "tuple[EventArray, int] | FrameSet":
        events, labels = self.events[:, index], self.labels[index]
        if isinstance(index, int | np.integer):
            return events, int(labels)
        for array in (events, labels):  # views of read-only arrays, or arrays of our own
            array.flags.writeable = False
        return FrameSet(events, labels)

    def __repr__(self) -> str:
        return (
            f"FrameSet({len(self)} samples, {self.timesteps} timesteps, shape {self.sample_shape})"
        )

    @property
    def timesteps(self) -> int:
        """Number of timesteps of a sample."""
        return len(self.events)

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """Shape of a frame, (channels, height, width)."""
        _, _, channels, height, width = self.events.shape
        return channels, height, width

    def batches(self, batch_size: int) -> Iterator[tuple[EventArray, Labels]]:
        """Iterate over `(events, labels)` in order, events (timesteps, batch, *sample_shape)."""
        for start in range(0, len(self), batch_size):
            chosen = slice(start, start + batch_size)
            yield self.events[:, chosen], self.labels[chosen]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(ValueEquality):
    """Training, test and optional validation samples, with the provenance of the data.

    Args:
        name: Name of the dataset.
        train: Training samples.
        test: Test samples.
        classes: Number of classes; labels run from 0 to `classes` - 1.
        digest: SHA-256 of frames, labels and the options that made them, hexadecimal.
        provenance: Source, license, split and options, as plain values.
        validation: Validation samples, where the dataset has a part of its own for them.

    Raises:
        DataError: The parts differ in shape, or a label has no class.
    """

    name: str
    train: FrameSet
    test: FrameSet
    classes: int
    digest: str
    provenance: Mapping[str, Any] = field(default_factory=dict)
    validation: FrameSet | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))
        parts = {"test": self.test, "validation": self.validation}
        for name, part in parts.items():
            if part is None:
                continue
            shape, expected = ((p.timesteps, *p.sample_shape) for p in (part, self.train))
            if shape != expected:
                raise DataError(
                    f"{self.name}: {name} samples are {shape} (timesteps, channels, height, "
                    f"width), but training samples are {expected}"
                )
        largest = max(part.labels.max() for part in (self.train, *parts.values()) if part)
        if largest >= self.classes:
            raise DataError(
                f"{self.name}: a label is {largest}, but there are {self.classes} classes"
            )

    def __repr__(self) -> str:
        count = f"{len(self.train)} training, {len(self.test)} test"
        if self.validation is not None:
            count += f", {len(self.validation)} validation"
        return (
            f"Dataset({self.name!r}, {count} samples, {self.timesteps} timesteps, "
            f"input_shape {self.input_shape}, {self.classes} classes)"
        )

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of a frame, (channels, height, width)."""
        return self.train.sample_shape

    @property
    def timesteps(self) -> int:
        """Number of timesteps of a sample."""
        return self.train.timesteps


def compute_digest(train: FrameSet, test: FrameSet, options: BaseModel) -> str:
    """SHA-256 of contents and options, hexadecimal; the folder is not part of it.

    Frames are hashed sample by sample, (samples, timesteps, channels, height, width).
    """
    fields = options.model_dump_json(exclude={"folder"}, exclude_none=True)
    digest = hashlib.sha256(fields.encode())
    for part in (train, test):
        samples = part.events.swapaxes(0, 1)
        digest.update(f"{samples.dtype.str} {samples.shape} ".encode())
        for sample in samples:
            digest.update(np.ascontiguousarray(sample).data)
        digest.update(f"{part.labels.dtype.str} {part.labels.shape} ".encode())
        digest.update(np.ascontiguousarray(part.labels).data)
    return digest.hexdigest()


def hold_out(samples: FrameSet, per_class: int, seed: int) -> tuple[FrameSet, FrameSet]:
    """Split `per_class` samples of each class off: (remaining, held-out).

    The same `seed` draws the same samples. Raises `DataError` where a class would run out.
    """
    rest, chosen = stratified_split(samples.labels, per_class, seed)
    return samples[rest], samples[chosen]


def train_val_split(data: Dataset, per_class: int, seed: int) -> tuple[FrameSet, FrameSet | None]:
    """Training and validation samples of `data`.

    The dataset's own validation part where it has one; else `per_class` training samples of each
    class, drawn by `seed`; none with 0. Raises `DataError` where a class has too few samples.
    """
    if data.validation is not None or not per_class:
        return data.train, data.validation
    return hold_out(data.train, per_class, seed)
