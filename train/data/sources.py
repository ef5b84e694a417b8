"""Sources of event frames that are read when asked for: arrays, decoded items, files on disk.

A source holds samples of one shape and reads any of them by index; it can be pickled, so that
worker processes of a `DataLoader` read from it too. Sample arrays have the axis order of
`runtime.events`: (timesteps, samples, channels, height, width).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...runtime.arrays import ValueEquality
from ...runtime.errors import DataError

EventArray = NDArray[np.uint8]  # (timesteps, samples, channels, height, width)
Indices = NDArray[np.int64]
SampleShape = tuple[int, int, int, int]  # timesteps, channels, height, width
SCAN_BYTES = 1 << 24  # of an array that are looked at together


class SampleSource(Protocol):
    """Samples of one shape, read by index."""

    def __len__(self) -> int: ...

    @property
    def shape(self) -> SampleShape:
        """Shape of a sample, (timesteps, channels, height, width)."""

    @property
    def max_value(self) -> int:
        """Upper bound of all values; the largest one where the samples are in memory."""

    @property
    def decodes(self) -> bool:
        """True if reading a sample takes computation, which worker processes can share."""

    def read(self, indices: Indices) -> EventArray:
        """Samples at `indices`, uint8 (timesteps, samples, channels, height, width).

        Samples that do not change over time have a stride of 0 on the first axis.
        """


@dataclass(frozen=True, eq=False)
class ArraySource(ValueEquality):
    """Samples in one array, uint8 (timesteps, samples, channels, height, width), read-only."""

    events: EventArray

    def __len__(self) -> int:
        return int(self.events.shape[1])

    @property
    def shape(self) -> SampleShape:
        """Shape of a sample."""
        timesteps, _, channels, height, width = self.events.shape
        return timesteps, channels, height, width

    @cached_property
    def max_value(self) -> int:
        """Largest value."""
        frames = self.events[:1] if self.events.strides[0] == 0 else self.events
        step = max(1, SCAN_BYTES // max(frames[:, :1].size, 1))
        parts = (frames[:, start : start + step] for start in range(0, len(self), step))
        return max(int(part.max()) for part in parts)

    @property
    def decodes(self) -> bool:
        """False: samples are in memory, or in a mapped file."""
        return False

    def read(self, indices: Indices) -> EventArray:
        """Copy the samples at `indices`; repeated images are copied once."""
        if self.events.strides[0] == 0:
            return repeat(self.events[0][indices], len(self.events))
        return np.asarray(self.events[:, indices])


@dataclass(frozen=True, eq=False)
class DecodedSource(ValueEquality):
    """Samples that are decoded one at a time from items, such as files.

    Args:
        items: What `decode` takes, in order.
        decode: Decodes an item to uint8 (timesteps, channels, height, width), or (channels, height,
            width) where `static`, which is repeated over time. Raises `DataError` with the name of
            an item that cannot be decoded.
        shape: Shape of a sample.
        static: Whether samples do not change over time.
        max_value: Upper bound of the values.
    """

    items: Sequence[Any]
    decode: Callable[[Any], NDArray[np.uint8]]
    shape: SampleShape
    static: bool = False
    max_value: int = 255

    def __len__(self) -> int:
        return len(self.items)

    @property
    def decodes(self) -> bool:
        """True."""
        return True

    def read(self, indices: Indices) -> EventArray:
        """Decode the samples at `indices`; raises `DataError` with the name of a damaged one."""
        frames = np.empty((len(indices), *item_shape(self)), np.uint8)
        for row, index in enumerate(indices.tolist()):
            frames[row] = self.decode_item(index)
        return from_sample_major(frames, self.shape[0], self.static)

    def decode_item(self, index: int) -> NDArray[np.uint8]:
        """Decode one sample, uint8 of `item_shape`; raises `DataError`."""
        item = self.items[index]
        frames = self.decode(item)
        if frames.shape != item_shape(self):
            raise DataError(f"{item}: decodes to {frames.shape}, needs {item_shape(self)}")
        return frames


@dataclass(frozen=True, eq=False)
class FileSource(ValueEquality):
    """Samples in a file of uint8 values, sample by sample, mapped into memory for each read.

    The mapping ends with the read, so that resident memory is that of the batch. A sample has
    `shape`, without the timesteps where it is `static`; the first begins at `offset`. Raises
    `DataError` where the file has another size.
    """

    path: Path
    samples: int
    shape: SampleShape
    static: bool = False
    max_value: int = 255
    offset: int = 0

    def __post_init__(self) -> None:
        needed = self.offset + self.samples * math.prod(item_shape(self))
        try:
            size = self.path.stat().st_size
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read: {error.strerror}") from error
        if size != needed:
            raise DataError(f"{self.path}: has {size} bytes, needs {needed}; remove it")

    def __len__(self) -> int:
        return self.samples

    @property
    def decodes(self) -> bool:
        """False."""
        return False

    def read(self, indices: Indices) -> EventArray:
        """Copy the samples at `indices` from the file."""
        shape = (self.samples, *item_shape(self))
        mapped = np.memmap(self.path, np.uint8, "r", self.offset, shape)
        frames = np.asarray(mapped[indices])
        return from_sample_major(frames, self.shape[0], self.static)


@dataclass(frozen=True, eq=False)
class IndexedSource(ValueEquality):
    """Some samples of a source, in the order of `indices`, int64."""

    base: SampleSource
    indices: Indices

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def shape(self) -> SampleShape:
        """Shape of a sample."""
        return self.base.shape

    @cached_property
    def max_value(self) -> int:
        """Largest value of the chosen samples in memory; else the bound of the source."""
        if not isinstance(self.base, ArraySource):
            return self.base.max_value
        step = max(1, SCAN_BYTES // math.prod(self.shape))
        parts = (self.indices[k : k + step] for k in range(0, len(self.indices), step))
        return max(int(self.base.read(part).max()) for part in parts)

    @property
    def decodes(self) -> bool:
        """That of the source."""
        return self.base.decodes

    def read(self, indices: Indices) -> EventArray:
        """Samples at `indices` of the chosen ones."""
        return self.base.read(self.indices[indices])


@dataclass(frozen=True, eq=False)
class ConcatSource(ValueEquality):
    """Samples of several sources of one shape, one source after another."""

    parts: tuple[SampleSource, ...]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def shape(self) -> SampleShape:
        """Shape of a sample."""
        return self.parts[0].shape

    @cached_property
    def max_value(self) -> int:
        """Largest bound of the parts."""
        return max(part.max_value for part in self.parts)

    @property
    def decodes(self) -> bool:
        """True if a part decodes."""
        return any(part.decodes for part in self.parts)

    def read(self, indices: Indices) -> EventArray:
        """Samples at `indices`, from the parts that hold them."""
        timesteps, *frame = self.shape
        events = np.empty((timesteps, len(indices), *frame), np.uint8)
        start = 0
        for part in self.parts:
            here = (indices >= start) & (indices < start + len(part))
            if here.any():
                events[:, here] = part.read(indices[here] - start)
            start += len(part)
        return events


def select(source: SampleSource, index: slice | NDArray[Any]) -> SampleSource:
    """Samples of `source` at a slice, a mask or indices; a slice of an array is a view of it."""
    if isinstance(source, ArraySource) and isinstance(index, slice):
        events = source.events[:, index]
        events.flags.writeable = False
        return ArraySource(events)
    if isinstance(source, IndexedSource):
        return IndexedSource(source.base, source.indices[index])
    return IndexedSource(source, np.arange(len(source))[index])


def item_shape(source: DecodedSource | FileSource) -> tuple[int, ...]:
    """Shape of a sample as it is decoded or stored: without the timesteps where it is static."""
    return source.shape[1:] if source.static else source.shape


def repeat(images: NDArray[np.uint8], timesteps: int) -> EventArray:
    """Images (samples, channels, height, width) over all timesteps, as one read-only view."""
    return np.broadcast_to(images, (timesteps, *images.shape))


def from_sample_major(frames: NDArray[np.uint8], timesteps: int, static: bool) -> EventArray:
    """Samples first to timesteps first; images are repeated over time."""
    return repeat(frames, timesteps) if static else np.ascontiguousarray(frames.swapaxes(0, 1))
