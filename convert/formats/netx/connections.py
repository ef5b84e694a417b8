"""Connections of netx layers: 8-bit weights, pooling windows as synapses, and delays."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....runtime.connections import Connection, Conv, Dense, Sparse, SumPool, as_depthwise_conv
from ....runtime.errors import FileError, NetworkError
from ....runtime.projection import EXPONENT_RANGE
from .checks import INPUT_EXPONENT, SIGMA_DELTA, input_weight
from .schema import Layer

Weights = NDArray[np.int64]
Shape = tuple[int, ...]
MAX_SYNAPSES = 1 << 28


def to_8_bit(weights: Weights, who: str) -> tuple[Weights, int]:
    """Express weights as integers of 8-bit synapses and an exponent.

    Synapses hold even integers from -256 to 254, or of one sign up to 255. An exponent of -1 is
    for odd weights of mixed sign, above 0 for larger ones.

    Raises:
        FileError: No exponent represents the weights.
    """
    low, high = int(weights.min(initial=0)), int(weights.max(initial=0))
    mixed = low < 0 < high
    set_bits = int(np.bitwise_or.reduce(weights, axis=None))
    for exponent in (0, -1, *range(1, EXPONENT_RANGE[1] + 1)):
        divisor = 1 << exponent if exponent >= 0 else 1
        scaled = weights // divisor if exponent >= 0 else weights * 2
        minimum, maximum = int(scaled.min(initial=0)), int(scaled.max(initial=0))
        if mixed:
            even = set_bits % (2 * divisor) == 0 or exponent < 0
            fits = minimum >= -256 and maximum <= 254 and even
        else:
            fits = minimum >= -255 and maximum <= 255
        if set_bits % divisor == 0 and fits:
            return scaled, exponent
    raise FileError(f"{who}: weights {low} to {high}, which 8 bits and an exponent do not hold")


def build_connection(layer: Layer, source: Shape) -> tuple[Connection, int]:
    """Build the connection from a population of shape `source` to `layer`.

    Returns:
        The connection and its weight exponent.

    Raises:
        FileError: Shapes do not match or weights are no 8-bit integers.
    """
    target = layer.shape()
    if layer.kind == "average":
        return _group_connection(layer, int(np.prod(source)), target[0]), 0
    if layer.kind == "input":
        return _input_connection(layer, source)
    weights, exponent = to_8_bit(layer.integers("weight"), layer.name)
    if layer.kind in ("dense", "dense_rec"):
        return dense_connection(weights, int(np.prod(target)), layer.name), exponent
    if len(source) != 3 or len(target) != 3:
        raise FileError(f"{layer.name}: maps {source} to {target}, needs images")
    kernels = _check_kernels(weights, layer.name)
    if layer.kind == "conv":
        return Conv(kernels, *_conv_geometry(layer)), exponent
    if layer.kind == "convT":
        conv = Conv(kernels, *_conv_geometry(layer))
        return conv_transpose_connection(conv, source, target, layer.name), exponent
    kernel = kernels[0, 0]
    if kernel.shape != layer.pair("kernelSize", 1):
        raise FileError(f"{layer.name}: weights of shape {kernel.shape}, not its kernelSize")
    if layer.kind == "unpool":
        pool = _window_connection(kernel, target, source, layer.name)
        reverse = replace(pool, rows=pool.columns, columns=pool.rows, shape=pool.shape[::-1])
        return reverse, exponent
    return pool_connection(kernel, source, target, layer.name), exponent


def _input_connection(layer: Layer, source: Shape) -> tuple[Connection, int]:
    """One synapse per value, and its exponent; see `checks.input_weight`."""
    weight, exponent = (1, 0) if layer.neuron_type() == SIGMA_DELTA else input_weight(layer)
    if len(source) == 3:
        return SumPool((1, 1), (1, 1), weight=weight), exponent
    return identity_connection(source[0], weight), exponent


def as_written_to_neurons(layer: Layer) -> Layer:
    """Make an input layer add its values to the voltage, as netx does by writing them as bias.

    netx multiplies the values of an image by the weight of the layer and adds the bias before it
    writes them, and the current does not filter them.
    """
    entries = dict(layer.entries) | {
        "neuron/iDecay": np.array(4096),
        "weight": np.array(1 << -INPUT_EXPONENT),
    }
    entries.pop("bias", None)
    return replace(layer, entries=entries)


def identity_connection(neurons: int, weight: int) -> Sparse:
    """One-to-one connection of `weight`."""
    indices = np.arange(neurons)
    return Sparse(np.full(neurons, weight), indices, indices, (neurons, neurons))


def dense_connection(weights: Weights, neurons: int, who: str) -> Dense:
    """Dense connection into `neurons`; raises `FileError` where the weights do not divide."""
    if weights.size % neurons:
        raise FileError(
            f"{who}: {weights.size} weights, needs the same number for each of {neurons}"
        )
    return Dense(weights.reshape(neurons, -1))


def _check_kernels(weights: Weights, who: str) -> Weights:
    """Kernels of four axes; older versions of SLAYER append an axis of one, for time."""
    if weights.ndim < 4 or weights.shape[4:] != (1,) * (weights.ndim - 4):
        raise FileError(f"{who}: weights of shape {weights.shape}, needs four axes")
    return weights.reshape(weights.shape[:4])


def _conv_geometry(layer: Layer) -> tuple[Any, Any, Any, int]:
    return (
        layer.pair("stride", 1),
        layer.pair("padding", 0),
        layer.pair("dilation", 1),
        layer.integer("groups"),
    )


def _group_connection(layer: Layer, sources: int, targets: int) -> Sparse:
    """One synapse from each source to its group, of neighboring sources."""
    if sources % targets:
        raise FileError(f"{layer.name}: {sources} neurons do not divide into {targets} groups")
    columns = np.arange(sources)
    rows = columns // (sources // targets)
    return Sparse(np.ones(sources, np.int16), rows, columns, (targets, sources))


def pool_connection(kernel: Weights, source: Shape, target: Shape, who: str) -> Connection:
    """Sums over adjacent windows, which may be truncated at the far edges."""
    size = kernel.shape[0], kernel.shape[1]
    weight = int(kernel.flat[0])
    if (kernel == weight).all():
        pool = SumPool(size, size, weight=weight)
        try:
            if pool.target_shape(source) == target:
                return pool
        except NetworkError:
            pass  # a window larger than the source: all of it is in one truncated window
    return _window_connection(kernel, source, target, who)


def _window_connection(kernel: Weights, source: Shape, target: Shape, who: str) -> Sparse:
    """One synapse per kernel tap of adjacent windows within `source`."""
    (height, width), (channels, rows, columns) = kernel.shape, target
    needed = (channels, -(-source[1] // height), -(-source[2] // width))
    if channels != source[0] or not all(a <= b for a, b in zip(target, needed, strict=True)):
        raise FileError(f"{who}: windows of {kernel.shape} do not map {source} to {target}")
    c, y, x, j, k = np.indices((channels, rows, columns, height, width)).reshape(5, -1)
    down, right = y * height + j, x * width + k
    inside = (down < source[1]) & (right < source[2])
    targets = np.ravel_multi_index((c, y, x), target)[inside]
    sources = np.ravel_multi_index((c[inside], down[inside], right[inside]), source)
    shape = int(np.prod(target)), int(np.prod(source))
    return Sparse(kernel[j, k][inside], targets, sources, shape)


def conv_transpose_connection(conv: Conv, source: Shape, target: Shape, who: str) -> Sparse:
    """Transposed convolution as listed synapses: the transpose of `conv` from target to source.

    `conv.weights` are torch's for a transposed convolution: (inputs, outputs / groups, ...).
    """
    channels = conv.weights.shape[1] * conv.groups
    if channels != target[0] or conv.target_shape(target) != source:
        raise FileError(f"{who}: its transposed kernels do not map {source} to {target}")
    if conv.weights.size * source[1] * source[2] > MAX_SYNAPSES:
        raise FileError(f"{who}: would list more than {MAX_SYNAPSES} synapses")
    outputs, j, k = conv.weights.shape[1:]
    i, o, j, k, y, x = np.indices((source[0], outputs, j, k, *source[1:])).reshape(6, -1)
    down = y * conv.stride[0] - conv.padding[0] + j * conv.dilation[0]
    right = x * conv.stride[1] - conv.padding[1] + k * conv.dilation[1]
    weights = conv.weights[i, o, j, k]
    inside = (down >= 0) & (down < target[1]) & (right >= 0) & (right < target[2])
    keep = inside & (weights != 0)
    channel = i // (source[0] // conv.groups) * outputs + o
    targets = np.ravel_multi_index((channel[keep], down[keep], right[keep]), target)
    sources = np.ravel_multi_index((i[keep], y[keep], x[keep]), source)
    return Sparse(weights[keep], targets, sources, (int(np.prod(target)), int(np.prod(source))))


def select_sources(
    connection: Connection, source: Shape, selected: NDArray[np.bool_]
) -> Connection:
    """Restrict a connection to the `selected` neurons of its source, bool of shape `source`.

    Of an image, entire channels are selected.
    """
    if isinstance(connection, SumPool):
        connection = as_depthwise_conv(connection, source[0])
    if isinstance(connection, Dense):
        return replace(connection, weights=connection.weights * selected.reshape(-1))
    if isinstance(connection, Sparse):
        keep = selected.reshape(-1)[connection.columns]
        return replace(
            connection,
            weights=connection.weights[keep],
            rows=connection.rows[keep],
            columns=connection.columns[keep],
        )
    outputs, inputs = connection.weights.shape[:2]
    group = np.arange(outputs)[:, None] // (outputs // connection.groups)
    channel = group * inputs + np.arange(inputs)
    mask = selected.reshape(source[0], -1)[:, 0][channel]
    return replace(connection, weights=connection.weights * mask[:, :, None, None])
