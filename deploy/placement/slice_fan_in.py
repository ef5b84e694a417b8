"""Fan-in of a slice of a population: the number of synapses from each source neuron."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import Conv, Dense, Slice, Sparse
from ...runtime.connections import Connection, Shape, SumPool, conv_output_size

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class SliceFanIn:
    """Number of synapses of each source neuron on a slice.

    Attributes:
        axes: int64 arrays whose outer product, of the source's shape, is that number: one array per
            axis if the connection is separable, else a single array.
    """

    axes: tuple[IntArray, ...]

    @property
    def counts(self) -> IntArray:
        """Number of synapses of each source neuron, int64 (*source shape)."""
        product = self.axes[0]
        for axis in self.axes[1:]:
            product = product[..., None] * axis
        return product

    @property
    def synapses(self) -> int:
        """Number of synapses on the slice."""
        return math.prod(int(axis.sum()) for axis in self.axes)

    @property
    def sources(self) -> int:
        """Number of source neurons with a synapse on the slice."""
        return math.prod(int(np.count_nonzero(axis)) for axis in self.axes)

    @property
    def pixels(self) -> int:
        """Number of pixels of the source with a synapse on the slice from any channel."""
        if len(self.axes) == 3:
            rows, columns = (int(np.count_nonzero(axis)) for axis in self.axes[1:])
            return rows * columns * bool(self.axes[0].any())
        return int(np.count_nonzero(self.axes[0].any(axis=0)))

    def weighted_sum(self, events: NDArray[Any]) -> NDArray[Any]:
        """Sum `events` (..., *source shape) over sources, weighted by their synapses, (...)."""
        for axis in self.axes[::-1]:
            events = np.tensordot(events, axis, axis.ndim)
        return events


def compute_slice_fan_in(
    connection: Connection, source: Shape, target: Shape, part: Slice
) -> SliceFanIn:
    """Count the synapses from a population of shape `source` on `part` of one of shape `target`."""
    if isinstance(connection, Dense):
        # Separable, so that a slice of an image can be looked up: the first axis has all synapses.
        sizes = [np.ones(size, np.int64) for size in source]
        return SliceFanIn((sizes[0] * part.neurons, *sizes[1:]))
    if isinstance(connection, Sparse):
        inside = np.zeros(target, bool)
        inside[part.index] = True
        sources = connection.columns[inside.ravel()[connection.rows]]
        counts = np.bincount(sources, minlength=connection.shape[1])
        return SliceFanIn((counts.reshape(source).astype(np.int64),))
    rows, columns = (
        _position_counts(connection, source[axis], part.start[axis], part.stop[axis], axis - 1)
        for axis in (1, 2)
    )
    return SliceFanIn((_channel_counts(connection, source[0], part), rows, columns))


def _channel_counts(connection: Conv | SumPool, channels: int, part: Slice) -> IntArray:
    """Count the channels of `part` that each source channel reaches."""
    groups = connection.groups if isinstance(connection, Conv) else channels
    outputs = connection.weights.shape[0] // groups if isinstance(connection, Conv) else 1
    first = np.arange(groups) * outputs
    overlap = np.minimum(first + outputs, part.stop[0]) - np.maximum(first, part.start[0])
    return np.repeat(np.maximum(overlap, 0), channels // groups)


def count_valid_kernel_taps(connection: Conv | SumPool, source: Shape) -> tuple[IntArray, IntArray]:
    """Count the kernel taps inside the source for each window, along height and along width."""
    counts = conv_output_size(connection, source)
    taps = []
    for axis in (0, 1):
        kernel, dilation = connection.kernel[axis], connection.dilation[axis]
        stride, padding = connection.stride[axis], connection.padding[axis]
        position = _tap_positions(kernel, dilation, stride, padding, 0, counts[axis])
        inside = (position >= 0) & (position < source[axis + 1])
        taps.append(inside.sum(axis=1, dtype=np.int64))
    return taps[0], taps[1]


def _position_counts(
    connection: Conv | SumPool, size: int, start: int, stop: int, axis: int
) -> IntArray:
    """Count the windows from `start` to `stop` that cover each position along `axis`."""
    kernel, dilation = connection.kernel[axis], connection.dilation[axis]
    stride, padding = connection.stride[axis], connection.padding[axis]
    return _tap_counts(kernel, dilation, stride, padding, size, start, stop)


@lru_cache(maxsize=1 << 14)
def _tap_counts(
    kernel: int, dilation: int, stride: int, padding: int, size: int, start: int, stop: int
) -> IntArray:
    position = _tap_positions(kernel, dilation, stride, padding, start, stop).ravel()
    inside = (position >= 0) & (position < size)
    counts: IntArray = np.bincount(position[inside], minlength=size)
    counts.flags.writeable = False
    return counts


def _tap_positions(
    kernel: int, dilation: int, stride: int, padding: int, start: int, stop: int
) -> IntArray:
    """Source positions of the taps of windows `start` to `stop`, int64 (windows, kernel)."""
    first = np.arange(start, stop) * stride - padding
    positions: IntArray = first[:, None] + np.arange(kernel) * dilation
    return positions
