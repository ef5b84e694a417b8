"""Connections: dense, sparse, convolution and sum pooling, with 8-bit integer weights.

A connection knows no population, only the shapes of its source and target.
Activations are sums `a[target] = sum_source weight * value[source]`. Convolution is the
cross-correlation of torch with zero padding:

    a[o, y, x] = sum_{i, j, k} w[o, i, j, k] * value[i, at(y, j), at(x, k)]
    at(y, j) = y * stride + j * dilation - padding
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import ValueEquality, as_int, as_readonly
from .errors import NetworkError
from .population import MAX_NEURONS

Shape = tuple[int, ...]
Pair = tuple[int, int]
Weights = NDArray[Any]  # array-like of integers, stored as read-only int16
Indices = NDArray[Any]  # array-like of integers, stored as read-only int32
MAX_EXTENT = 1 << 15  # of a window, stride, padding or dilation, so that sizes fit into an int32


@dataclass(frozen=True, eq=False)
class Dense(ValueEquality):
    """Fully connected; `weights` int16 (targets, sources)."""

    weights: Weights

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", _weights("dense", self.weights, 2))

    def target_shape(self, source: Shape) -> Shape:
        """Compute the target shape; raises `NetworkError` where `source` does not fit."""
        if int(np.prod(source)) != self.weights.shape[1]:
            raise NetworkError(f"{self.weights.shape[1]} inputs, but {source} is {np.prod(source)}")
        return (int(self.weights.shape[0]),)

    def sum_abs_weights(self) -> NDArray[np.int64]:
        """Sum the absolute weights into each target neuron, int64 (targets,)."""
        sums: NDArray[np.int64] = np.abs(self.weights.astype(np.int64)).sum(axis=1)
        return sums


@dataclass(frozen=True, eq=False)
class Sparse(ValueEquality):
    """Sparse weights in coordinate form: `weights[k]` from source `columns[k]` to target `rows[k]`.

    Neurons are indexed in C order. `weights` int16, `rows` and `columns` int32, all (synapses,);
    stored sorted by row, then column, without duplicates. `shape` is (targets, sources).
    """

    weights: Weights
    rows: Indices
    columns: Indices
    shape: Pair

    def __post_init__(self) -> None:
        weights = _weights("sparse", self.weights, 1)
        rows, columns = (as_readonly(a, np.int32, "sparse") for a in (self.rows, self.columns))
        targets, sources = _pair("sparse", "shape", self.shape, 1, MAX_NEURONS)
        if not weights.shape == rows.shape == columns.shape:
            raise NetworkError(
                f"sparse: {weights.size} weights, {rows.size} rows, {columns.size} columns: "
                "needs one of each per synapse"
            )
        if rows.size and not (rows.min() >= 0 and rows.max() < targets):
            raise NetworkError(f"sparse: rows {rows.min()}..{rows.max()}, needs 0..{targets - 1}")
        if columns.size and not (columns.min() >= 0 and columns.max() < sources):
            raise NetworkError(
                f"sparse: columns {columns.min()}..{columns.max()}, needs 0..{sources - 1}"
            )
        order = np.lexsort((columns, rows))
        keys = rows[order].astype(np.int64) * sources + columns[order]
        if (keys[1:] == keys[:-1]).any():
            raise NetworkError("sparse: two weights for one pair of neurons; add them up")
        for name, array in (("weights", weights), ("rows", rows), ("columns", columns)):
            object.__setattr__(self, name, as_readonly(array[order], array.dtype, "sparse"))
        object.__setattr__(self, "shape", (targets, sources))

    def target_shape(self, source: Shape) -> Shape:
        """Compute the flat target shape; raises `NetworkError` where `source` does not fit."""
        if int(np.prod(source)) != self.shape[1]:
            raise NetworkError(f"{self.shape[1]} inputs, but {source} is {np.prod(source)}")
        return (self.shape[0],)

    def sum_abs_weights(self) -> NDArray[np.int64]:
        """Sum the absolute weights into each target neuron, int64 (targets,)."""
        sums = np.zeros(self.shape[0], np.int64)
        np.add.at(sums, self.rows, np.abs(self.weights.astype(np.int64)))
        return sums


@dataclass(frozen=True, eq=False)
class Conv(ValueEquality):
    """Two-dimensional convolution; `weights` int16 (outputs, inputs / groups, height, width).

    `stride`, `padding` (zeros) and `dilation` are pairs (along height, along width).
    """

    weights: Weights
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", _weights("conv", self.weights, 4))
        for key, minimum in (("stride", 1), ("padding", 0), ("dilation", 1)):
            object.__setattr__(self, key, _pair("conv", key, getattr(self, key), minimum))
        object.__setattr__(self, "groups", as_int(self.groups, "conv: groups"))
        if self.groups < 1 or self.weights.shape[0] % self.groups:
            raise NetworkError(
                f"conv: {self.weights.shape[0]} channels do not divide into {self.groups} groups"
            )

    @property
    def kernel(self) -> Pair:
        """Height and width of the kernel."""
        return int(self.weights.shape[2]), int(self.weights.shape[3])

    def target_shape(self, source: Shape) -> Shape:
        """Compute the target shape; raises `NetworkError` where `source` does not fit."""
        channels = self.weights.shape[1] * self.groups
        if len(source) != 3 or source[0] != channels:
            raise NetworkError(f"takes ({channels}, height, width), but the source is {source}")
        return (int(self.weights.shape[0]), *conv_output_size(self, source))

    def sum_abs_weights(self) -> NDArray[np.int64]:
        """Bound the sum of absolute weights into a neuron, by output channel, int64 (outputs,)."""
        sums: NDArray[np.int64] = np.abs(self.weights.astype(np.int64)).sum(axis=(1, 2, 3))
        return sums


@dataclass(frozen=True, eq=False)
class SumPool(ValueEquality):
    """Sum pooling: the sum over a window of each channel, times one `weight`.

    `kernel`, `stride` and `padding` are pairs (along height, along width).
    """

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    weight: int = 1

    dilation = (1, 1)

    def __post_init__(self) -> None:
        for key, minimum in (("kernel", 1), ("stride", 1), ("padding", 0)):
            object.__setattr__(self, key, _pair("sum_pool", key, getattr(self, key), minimum))
        object.__setattr__(self, "weight", as_int(self.weight, "sum_pool: weight"))
        _weights("sum_pool", [self.weight], 1)

    def target_shape(self, source: Shape) -> Shape:
        """Compute the target shape; raises `NetworkError` where `source` does not fit."""
        if len(source) != 3:
            raise NetworkError(f"takes (channels, height, width), but the source is {source}")
        return (source[0], *conv_output_size(self, source))

    def sum_abs_weights(self) -> NDArray[np.int64]:
        """Bound the sum of absolute weights into a neuron, int64 (1,)."""
        return np.array([abs(self.weight) * self.kernel[0] * self.kernel[1]], np.int64)


Connection = Dense | Sparse | Conv | SumPool
CONNECTION_KINDS: dict[str, type[Connection]] = {
    "dense": Dense,
    "sparse": Sparse,
    "conv": Conv,
    "sum_pool": SumPool,
}


def connection_kind(connection: Connection) -> str:
    """Name the kind of a connection: "dense", "sparse", "conv" or "sum_pool"."""
    return next(kind for kind, cls in CONNECTION_KINDS.items() if isinstance(connection, cls))


def conv_output_size(connection: Conv | SumPool, source: Shape) -> Pair:
    """Compute the output height and width for `source`, both at least 1.

    Raises `NetworkError` where the dilated kernel exceeds the padded source.
    """
    sizes = []
    for axis, size in enumerate(source[1:]):
        extent = connection.dilation[axis] * (connection.kernel[axis] - 1) + 1
        margin = size + 2 * connection.padding[axis] - extent
        if margin < 0:
            raise NetworkError(
                f"a window of {extent} does not fit into {size} plus padding on axis {axis + 1}"
            )
        sizes.append(margin // connection.stride[axis] + 1)
    return sizes[0], sizes[1]


def as_depthwise_conv(connection: SumPool, channels: int) -> Conv:
    """Express sum pooling of `channels` channels as a depthwise convolution."""
    weights = np.full((channels, 1, *connection.kernel), connection.weight, np.int16)
    return Conv(weights, connection.stride, connection.padding, (1, 1), channels)


def _weights(who: str, values: ArrayLike, dimensions: int) -> NDArray[np.int16]:
    """Validate weights for the chip's synapses: 8 bits, of one sign or of mixed sign."""
    array = as_readonly(values, np.int16, f"{who} weights")
    if array.ndim != dimensions or (dimensions > 1 and not array.size):
        raise NetworkError(f"{who}: weights of shape {array.shape}, needs {dimensions} axes")
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if low < 0 < high:
        odd = array[array % 2 != 0]
        if low < -256 or high > 254 or odd.size:
            excess = f"an odd weight {odd.flat[0]}" if odd.size else f"weights {low}..{high}"
            raise NetworkError(
                f"{who}: {excess}; 8 bits of mixed sign hold even numbers from -256 to 254"
            )
    elif low < -255 or high > 255:
        raise NetworkError(f"{who}: weights {low}..{high}; 8 bits of one sign hold up to 255")
    return array


def _pair(who: str, key: str, values: Any, minimum: int, maximum: int = MAX_EXTENT) -> Pair:
    pair = tuple(as_int(value, f"{who}: {key}") for value in values)
    if len(pair) != 2 or min(pair) < minimum or max(pair) > maximum:
        raise NetworkError(
            f"{who}: {key} is {values}, needs two integers from {minimum} to {maximum}"
        )
    return pair[0], pair[1]
