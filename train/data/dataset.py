"""Labeled event frames (`FrameSet`) and datasets of them (`Dataset`).

Samples are read from their source a batch at a time, so that memory is bounded by the batch.
Events have one axis order everywhere: (timesteps, samples, channels, height, width), as in
`runtime.events`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel

from ...runtime.arrays import ValueEquality, as_readonly
from ...runtime.errors import DataError
from .options import DataOptions
from .reading import read_ahead
from .sources import ArraySource, EventArray, SampleSource, select
from .split import stratified_split

Labels = NDArray[Any]  # int64 (samples,), or of a regression float32 (samples, outputs)
Task = Literal["classification", "regression"]
READ_SAMPLES = 64  # read together where all samples are gone through


@dataclass(frozen=True, eq=False, repr=False)
class FrameSet(ValueEquality):
    """Event frames with one label per sample, read from their source when asked for.

    `part[3]` is one sample, `(events (timesteps, channels, height, width), label)`; `part[:8]` and
    `part[indices]` are a `FrameSet` of those samples, which reads nothing yet. `batches` reads a
    batch at a time; `events` reads all samples into one array.

    Args:
        source: Where the samples are read from; or uint8 (timesteps, samples, channels, height,
            width), the value of a pixel in a timestep, kept as a read-only copy, or as it is where
            it is read-only already. With two channels, channel 0 holds OFF events and channel 1
            ON events.
        labels: int64 (samples,), class indices from 0; or targets of a regression, real numbers
            (samples, outputs) or (samples,), kept as float32 (samples, outputs).

    Raises:
        DataError: Samples and labels differ in number, there are none, or an array has another
            rank or holds values outside its type.
    """

    source: SampleSource
    labels: Labels

    def __init__(self, source: SampleSource | NDArray[Any], labels: ArrayLike) -> None:
        if isinstance(source, np.ndarray):
            source = ArraySource(_as_event_array(source))
        array = as_labels(labels)
        if array.shape[:1] != (len(source),):
            raise DataError(f"labels: shape {array.shape}, but there are {len(source)} samples")
        if not len(source):
            raise DataError("events: 0 samples, needs 1 or more")
        if array.dtype == np.int64 and array.min() < 0:
            raise DataError(f"labels: hold {array.min()}, need 0 or more")
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "labels", array)

    def __len__(self) -> int:
        return len(self.labels)

    @overload
    def __getitem__(self, index: int) -> tuple[EventArray, Any]: ...
    @overload
    def __getitem__(self, index: slice | NDArray[Any]) -> "FrameSet": ...
    def __getitem__(self, index: int | slice | NDArray[Any]) -> "tuple[EventArray, Any] | FrameSet":
        labels = self.labels[index]
        if isinstance(index, int | np.integer):
            position = np.arange(len(self))[index : index + 1 or None]
            return self.source.read(position)[:, 0], labels if labels.ndim else int(labels)
        labels.flags.writeable = False  # a view of a read-only array, or an array of our own
        return FrameSet(select(self.source, index), labels)

    def __eq__(self, other: object) -> bool:
        """Compare labels and events, wherever they are read from."""
        if not isinstance(other, FrameSet):
            return NotImplemented
        if self.source.shape != other.source.shape:
            return False
        pairs = zip(self.batches(READ_SAMPLES), other.batches(READ_SAMPLES), strict=True)
        return np.array_equal(self.labels, other.labels) and all(
            np.array_equal(mine, theirs) for (mine, _), (theirs, _) in pairs
        )

    def __repr__(self) -> str:
        return (
            f"FrameSet({len(self)} samples, {self.timesteps} timesteps, shape {self.sample_shape})"
        )

    @property
    def events(self) -> EventArray:
        """All samples in memory, uint8 (timesteps, samples, *sample_shape), read-only.

        Read anew each time, unless they are in memory already: take `batches` of large datasets.
        """
        if isinstance(self.source, ArraySource):
            return self.source.events
        events = self.source.read(np.arange(len(self)))
        events.flags.writeable = False
        return events

    @property
    def timesteps(self) -> int:
        """Number of timesteps of a sample."""
        return self.source.shape[0]

    @property
    def sample_shape(self) -> tuple[int, int, int]:
        """Shape of a frame, (channels, height, width)."""
        return self.source.shape[1:]

    @property
    def max_value(self) -> int:
        """Upper bound of the values; the largest one where the samples are in memory."""
        return self.source.max_value

    def batches(self, batch_size: int, workers: int = 0) -> Iterator[tuple[EventArray, Labels]]:
        """Iterate over `(events, labels)` in order, events (timesteps, batch, *sample_shape).

        With `workers`, as many processes read ahead; the batches are the same.
        """
        starts = range(0, len(self), batch_size)
        chosen = [np.arange(k, min(k + batch_size, len(self))) for k in starts]
        for indices, events in zip(chosen, read_ahead(self.source, chosen, workers), strict=True):
            yield events, self.labels[indices[0] : indices[-1] + 1]


def as_labels(labels: ArrayLike, name: str = "labels") -> Labels:
    """Read-only labels: int64 (samples,), or of real numbers float32 (samples, outputs).

    Real numbers (samples,) that are all whole are class indices; targets of that kind are
    (samples, 1). Raises `DataError` where they have another rank, or are not finite.
    """
    array = np.asarray(labels)
    if array.dtype.kind == "f" and not (array.ndim == 1 and (array == np.rint(array)).all()):
        targets = array.reshape(len(array), -1) if array.ndim else array
        if targets.ndim != 2 or array.ndim > 2 or not np.isfinite(targets).all():
            raise DataError(
                f"{name}: {array.dtype} {array.shape}, needs integers (samples,), or finite "
                "numbers (samples, outputs) of a regression"
            )
        if targets.dtype != np.float32 or targets.flags.writeable:
            targets = targets.astype(np.float32)
            targets.flags.writeable = False
        return targets
    if array.dtype != np.int64 or array.flags.writeable:
        array = as_readonly(array, np.int64, name, DataError)
    if array.ndim != 1:
        raise DataError(f"{name}: shape {array.shape}, needs (samples,)")
    return array


def _as_event_array(events: NDArray[Any]) -> EventArray:
    """Read-only uint8 array of events; raises `DataError` where it has another rank or is empty."""
    if events.dtype != np.uint8 or events.flags.writeable:
        events = as_readonly(events, np.uint8, "events", DataError)
    if events.ndim != 5:
        raise DataError(
            f"events: shape {events.shape}, needs (timesteps, samples, channels, height, width)"
        )
    if 0 in events.shape:
        raise DataError(f"events: shape {events.shape} is empty, needs 1 or more samples")
    return events


@dataclass(frozen=True, eq=False, repr=False)
class Dataset(ValueEquality):
    """Training, test and optional validation samples, with the provenance of the data.

    Args:
        name: Name of the dataset.
        train: Training samples.
        test: Test samples.
        classes: Number of classes; labels run from 0 to `classes` - 1. Of a regression, whose
            labels are real numbers, the number of outputs.
        digest: SHA-256 of frames, labels and the options that made them, hexadecimal.
        provenance: Source, license, split and options, as plain values.
        validation: Validation samples, where the dataset has a part of its own for them.
        augmented: Whether training samples include augmented copies of others.

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
    augmented: bool = False

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
        every = [part for part in (self.train, *parts.values()) if part]
        if len({part.labels.shape[1:] for part in every}) > 1:
            raise DataError(f"{self.name}: the parts differ in their labels, need the same kind")
        if self.task == "regression":
            if self.classes != self.train.labels.shape[1]:
                raise DataError(
                    f"{self.name}: has {self.classes} outputs, but its targets are "
                    f"{self.train.labels.shape}"
                )
            return
        largest = max(part.labels.max() for part in every)
        if largest >= self.classes:
            raise DataError(
                f"{self.name}: a label is {largest}, but there are {self.classes} classes"
            )

    def __repr__(self) -> str:
        count = f"{len(self.train)} training, {len(self.test)} test"
        if self.validation is not None:
            count += f", {len(self.validation)} validation"
        what = "classes" if self.task == "classification" else "targets"
        return (
            f"Dataset({self.name!r}, {count} samples, {self.timesteps} timesteps, "
            f"input_shape {self.input_shape}, {self.classes} {what})"
        )

    @property
    def task(self) -> Task:
        """Task: "classification" of labels, or "regression" of numbers."""
        return "regression" if self.train.labels.dtype.kind == "f" else "classification"

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
    if isinstance(options, DataOptions):
        fields = options.digest_json(exclude_none=True)
    else:
        fields = options.model_dump_json(exclude={"folder"}, exclude_none=True)
    digest = hashlib.sha256(fields.encode())
    for part in (train, test):
        digest.update(f"|u1 {(len(part), *part.source.shape)} ".encode())
        for events, _ in part.batches(READ_SAMPLES):
            for sample in events.swapaxes(0, 1):
                digest.update(np.ascontiguousarray(sample).data)
        digest.update(f"{part.labels.dtype.str} {part.labels.shape} ".encode())
        digest.update(np.ascontiguousarray(part.labels).data)
    return digest.hexdigest()


def hold_out(samples: FrameSet, per_class: int, seed: int) -> tuple[FrameSet, FrameSet]:
    """Split `per_class` samples of each class off: (remaining, held-out).

    The same `seed` draws the same samples; of a regression as many in all. Raises `DataError` where
    a class would run out.
    """
    labels = samples.labels
    classes = labels if labels.dtype == np.int64 else np.zeros(len(labels), np.int64)
    rest, chosen = stratified_split(classes, per_class, seed)
    return samples[rest], samples[chosen]


def train_val_split(data: Dataset, per_class: int, seed: int) -> tuple[FrameSet, FrameSet | None]:
    """Training and validation samples of `data`.

    The dataset's own validation part where it has one; else `per_class` training samples of each
    class, drawn by `seed`; none with 0. Raises `DataError` where a class has too few samples, or
    where drawn samples could have copies among the others.
    """
    if data.validation is not None or not per_class:
        return data.train, data.validation
    if data.augmented:
        raise DataError(
            f"{data.name}: training samples have augmented copies, which validation samples drawn "
            "from them would share; hold recordings out by split.validation"
        )
    return hold_out(data.train, per_class, seed)
