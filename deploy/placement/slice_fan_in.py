"""Which source neurons reach a slice of a population, and through how many synapses."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import (
    Conv,
    Dense,
    Slice,
    Sparse,
)
from ...runtime.connections import (
    Connection,
    Shape,
    SumPool,
    conv_output_size,
)

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class SliceFanIn:
    """How many synapses each source neuron has on a slice.

    `axes` are int64 arrays whose outer product, of the source's shape, is that number: one array an
    axis where the connection is the same along the others, else one array for all.
    """

    axes: tuple[IntArray, ...]

    @property
    def counts(self) -> IntArray:
        """The number for each source neuron, int64 (*source)."""
        product = self.axes[0]
        for axis in self.axes[1:]:
            product = product[..., None] * axis
        return product

    @property
    def synapses(self) -> int:
        """How many synapses there are on the slice."""
        return math.prod(int(axis.sum()) for axis in self.axes)

    @property
    def sources(self) -> int:
        """How many source neurons have a synapse on the slice."""
        return math.prod(int(np.count_nonzero(axis)) for axis in self.axes)

    @property
    def pixels(self) -> int:
        """At how many places (height and width) a source neuron has a synapse on the slice."""
        if len(self.axes) == 3:
            rows, columns = (int(np.count_nonzero(axis)) for axis in self.axes[1:])
            return rows * columns * bool(self.axes[0].any())
        return int(np.count_nonzero(self.axes[0].any(axis=0)))

    def weighted_sum(self, events: NDArray[Any]) -> NDArray[Any]:
        """Return the sum over sources of `events` (..., *source) times their synapses, (...)."""
        for axis in self.axes[::-1]:
            events = np.tensordot(events, axis, axis.ndim)
        return events


def compute_slice_fan_in(
    connection: Connection, source: Shape, target: Shape, part: Slice
) -> SliceFanIn:
    """Return how a population of shape `source` reaches `part` of one of shape `target`."""
    if isinstance(connection, Dense):
        # One array an axis, so that a slice of an image can be looked up: the first has them all.
        sizes = [np.ones(size, np.int64) for size in source]
        return SliceFanIn((sizes[0] * part.neurons, *sizes[1:]))
    if isinstance(connection, Sparse):
        inside = np.zeros(target, bool)
        inside[part.index] = True
        listed = connection.columns[inside.ravel()[connection.rows]]
        counts = np.bincount(listed, minlength=connection.shape[1])
        return SliceFanIn((counts.reshape(source).astype(np.int64),))
    rows, columns = (
        _position_counts(connection, source[axis], part.start[axis], part.stop[axis], axis - 1)
        for axis in (1, 2)
    )
    return SliceFanIn((_channel_counts(connection, source[0], part), rows, columns))


def _channel_counts(connection: Conv | SumPool, channels: int, part: Slice) -> IntArray:
    """Return how many channels of `part` each source channel reaches."""
    groups = connection.groups if isinstance(connection, Conv) else channels
    outputs = connection.weights.shape[0] // groups if isinstance(connection, Conv) else 1
    first = np.arange(groups) * outputs
    shared = np.minimum(first + outputs, part.stop[0]) - np.maximum(first, part.start[0])
    return np.repeat(np.maximum(shared, 0), channels // groups)


def count_valid_kernel_taps(connection: Conv | SumPool, source: Shape) -> tuple[IntArray, IntArray]:
    """Return how much of each window lies within the source, along height and along width."""
    counts = conv_output_size(connection, source)
    along = []
    for axis in (0, 1):
        kernel, dilation = connection.kernel[axis], connection.dilation[axis]
        stride, padding = connection.stride[axis], connection.padding[axis]
        at = _tap_positions(kernel, dilation, stride, padding, 0, counts[axis])
        along.append(((at >= 0) & (at < source[axis + 1])).sum(axis=1, dtype=np.int64))
    return along[0], along[1]


def _position_counts(
    connection: Conv | SumPool, size: int, start: int, stop: int, axis: int
) -> IntArray:
    """Return in how many of the windows `start` to `stop` each place along `axis` lies."""
    kernel, dilation = connection.kernel[axis], connection.dilation[axis]
    stride, padding = connection.stride[axis], connection.padding[axis]
    return _tap_counts(kernel, dilation, stride, padding, size, start, stop)


@lru_cache(maxsize=1 << 14)
def _tap_counts(
    kernel: int, dilation: int, stride: int, padding: int, size: int, start: int, stop: int
) -> IntArray:
    at = _tap_positions(kernel, dilation, stride, padding, start, stop).ravel()
    counts: IntArray = np.bincount(at[(at >= 0) & (at < size)], minlength=size)
    counts.flags.writeable = False
    return counts


def _tap_positions(
    kernel: int, dilation: int, stride: int, padding: int, start: int, stop: int
) -> IntArray:
    """Return where the windows `start` to `stop` look, int64 (windows, kernel)."""
    first = np.arange(start, stop) * stride - padding
    places: IntArray = first[:, None] + np.arange(kernel) * dilation
    return places
