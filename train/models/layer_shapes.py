"""Shapes of a list of layers, without torch: what each layer reads, and whether it fits.

Shapes are (channels, height, width) or (neurons,), as those of populations.
"""

import math
from collections.abc import Mapping

from ...runtime.errors import NetworkError
from .layer_options import (
    INPUT,
    Conv1dLayerOptions,
    ConvLayerOptions,
    DenseLayerOptions,
    IandLayerOptions,
    Layer,
    LayersOptions,
    MaxPoolLayerOptions,
    OrLayerOptions,
    Pair,
    ReadoutLayerOptions,
    Shape,
    WeightedLayerOptions,
    as_pair,
    resolve_layers,
)


def layer_shapes(options: LayersOptions, input_shape: Shape, classes: int) -> dict[str, Shape]:
    """Shape of the input and of each layer's population, by name.

    Raises `NetworkError` where a layer does not fit what it reads.
    """
    shapes: dict[str, Shape] = {INPUT: input_shape}
    for layer in resolve_layers(options.layers):
        shapes[layer.name] = output_shape(layer, shapes, classes)
    return shapes


def output_shape(layer: Layer, shapes: Mapping[str, Shape], classes: int) -> Shape:
    """Shape of the population of a resolved `layer`, whose sources have `shapes`.

    Raises `NetworkError` where it does not fit them.
    """
    name, first = layer.name, layer.sources[0]
    for other in layer.sources[1:]:
        if shapes[other] != shapes[first]:
            raise NetworkError(
                f"{name}: adds {first} {shapes[first]} and {other} {shapes[other]}, which differ "
                "in shape"
            )
    if isinstance(layer, OrLayerOptions | IandLayerOptions):
        return shapes[first]
    if isinstance(layer, MaxPoolLayerOptions):
        stride = layer.kernel if layer.stride is None else layer.stride
        geometry = as_pair(layer.kernel), as_pair(stride), as_pair(layer.padding), (1, 1)
        return shapes[first][:1] + _windows(name, _check_image(name, shapes[first]), *geometry)
    pooled = pooled_shape(name, shapes[first], layer.pool)
    if isinstance(layer, ReadoutLayerOptions):
        return (classes,)
    if isinstance(layer, DenseLayerOptions):
        shape: Shape = (layer.neurons,)
    else:
        conv = layer.along(name, pooled) if isinstance(layer, Conv1dLayerOptions) else layer
        _check_image(name, pooled)
        if pooled[0] % conv.groups:
            raise NetworkError(f"{name}: {conv.groups} groups do not divide {pooled[0]} channels")
        kernel, dilation = as_pair(conv.kernel), as_pair(conv.dilation)
        geometry = kernel, as_pair(conv.stride), conv_padding(conv), dilation
        shape = (conv.channels, *_windows(name, pooled, *geometry))
    for shortcut in layer.shortcuts:
        if shapes[shortcut] != shape:
            raise NetworkError(
                f"{name}: has shape {shape}, but its shortcut {shortcut} has {shapes[shortcut]}"
            )
    return shape


def conv_padding(conv: ConvLayerOptions) -> Pair:
    """Zero padding of a convolution, (vertical, horizontal)."""
    if conv.padding is not None:
        return as_pair(conv.padding)
    sizes = zip(as_pair(conv.kernel), as_pair(conv.dilation), strict=True)
    height, width = (dilation * (kernel - 1) // 2 for kernel, dilation in sizes)
    return height, width


def pool_window(shape: Shape, pool: int | Pair) -> Pair:
    """Window of average pooling of a population of `shape`; (1, 1) of a flat one."""
    if len(shape) == 1:
        return 1, 1
    return (shape[1], shape[2]) if pool == 0 else as_pair(pool)


def pooled_shape(name: str, shape: Shape, pool: int | Pair) -> Shape:
    """Shape after average pooling; raises `NetworkError` where windows do not divide it."""
    if len(shape) == 1:
        if pool not in (0, 1):
            raise NetworkError(f"{name}: pools images, but gets {shape}; leave out pool")
        return shape
    window = pool_window(shape, pool)
    if shape[1] % window[0] or shape[2] % window[1]:
        raise NetworkError(
            f"{name}: pooling over {window[0]} x {window[1]} does not divide {shape[1]} x "
            f"{shape[2]}; choose a resolution that it divides"
        )
    return shape[0], shape[1] // window[0], shape[2] // window[1]


def count_inputs(shape: Shape) -> int:
    """Number of neurons of a population of `shape`."""
    return math.prod(shape)


def count_weights(options: LayersOptions, input_shape: Shape, classes: int) -> int:
    """Number of weights of the layers, without those of batch norm; raises `NetworkError`."""
    shapes = layer_shapes(options, input_shape, classes)
    total = 0
    for layer in resolve_layers(options.layers):
        if not isinstance(layer, WeightedLayerOptions):
            continue
        pooled = pooled_shape(layer.name, shapes[layer.sources[0]], layer.pool)
        if isinstance(layer, ConvLayerOptions | Conv1dLayerOptions):
            conv = layer.along(layer.name, pooled) if layer.kind == "conv1d" else layer
            kernel = math.prod(as_pair(conv.kernel))
            weights = pooled[0] * conv.channels * kernel // conv.groups
            loop = (conv.channels * conv.recurrent_kernel) ** 2
        else:
            weights = math.prod(pooled) * shapes[layer.name][0]
            loop = shapes[layer.name][0] ** 2
        total += weights * len(layer.delays) + loop * getattr(layer, "recurrent", False)
    return total


def _check_image(name: str, shape: Shape) -> Shape:
    if len(shape) != 3:
        raise NetworkError(
            f"{name}: takes (channels, height, width), but gets {shape}; use dense layers alone"
        )
    return shape


def _windows(
    name: str, shape: Shape, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> Pair:
    """Number of windows over images of `shape`, (vertical, horizontal)."""
    counts = []
    for axis in (0, 1):
        extent = dilation[axis] * (kernel[axis] - 1) + 1
        room = shape[axis + 1] + 2 * padding[axis] - extent
        if room < 0:
            raise NetworkError(
                f"{name}: a window of {extent} pixels does not fit into {shape[axis + 1]} with "
                f"padding {padding[axis]}; choose a smaller kernel or stride, or fewer layers"
            )
        counts.append(room // stride[axis] + 1)
    return counts[0], counts[1]
