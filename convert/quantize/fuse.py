"""Fuse the linear layers between two spiking populations into one projection.

Pooling, conv or linear layers and batch norm are all linear, so a sequence of them with at most one
convolution, or with fully connected layers, is one projection: 2x2 average pooling before a 3x3
convolution is a 6x6 convolution, and two fully connected layers are one.
Composing kernels, `inner` first, then `outer`:

    result[j * stride + k] = sum over j, k of outer[j] * inner[k],  stride that of `inner`
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ...runtime.errors import NetworkError
from .linear_ops import (
    IDENTITY_POOL,
    AffineOp,
    ConvOp,
    FlattenOp,
    Float64Array,
    FusedLinear,
    LinearOp,
    Op,
    Pair,
    PoolOp,
    Shape,
)

MAX_KERNEL_WEIGHTS = 1 << 28


@dataclass(frozen=True, eq=False)
class _FusedOp:
    """The operations so far: a gain and pool, then a weighted layer, and their output shape.

    `gain` and `offset` have one value, one per channel, or one per neuron of a flat layer; both
    follow the pool.
    """

    shape: Shape
    gain: Float64Array = field(default_factory=lambda: np.ones(1))
    offset: Float64Array = field(default_factory=lambda: np.zeros(1))
    pool: PoolOp = IDENTITY_POOL
    weighted_op: ConvOp | LinearOp | None = None
    weighted_name: str = ""
    flat: bool = False


def fuse_linear_ops(ops: Sequence[tuple[str, Op]], source: Shape) -> FusedLinear:
    """Fuse a sequence of linear operations into one projection.

    Args:
        ops: The operations in their order, each with the name of its layer.
        source: Shape of the presynaptic population.

    Returns:
        The projection, its bias and its output shape.

    Raises:
        NetworkError: Shapes do not match, or no single projection is equivalent; names the layer.
    """
    fused = _FusedOp(source)
    for name, op in ops:
        if isinstance(op, FlattenOp):
            fused = _apply_flatten(fused)
        elif isinstance(op, AffineOp):
            fused = _apply_affine(name, fused, op)
        elif isinstance(op, LinearOp):
            if not isinstance(fused.weighted_op, LinearOp):
                fused = _begin_weighted(name, fused)
            fused = _apply_linear(name, fused, op, source)
        elif len(fused.shape) != 3 or fused.flat:
            raise NetworkError(f"{name}: takes images, but gets a flat layer")
        elif isinstance(op, PoolOp):
            fused = _apply_pool(name, fused, op)
        else:
            fused = _apply_conv(name, _begin_weighted(name, fused), op, source)
    return _finish(fused, source)


def compose_kernels(outer: Float64Array, stride: Pair, inner: Float64Array) -> Float64Array:
    """Compose two convolution kernels (..., height, width): `inner` with `stride`, then `outer`."""
    (rows, columns), (height, width) = outer.shape[-2:], inner.shape[-2:]
    leading = np.broadcast_shapes(outer.shape[:-2], inner.shape[:-2])
    size = (rows - 1) * stride[0] + height, (columns - 1) * stride[1] + width
    if math.prod((*leading, *size)) > MAX_KERNEL_WEIGHTS:
        raise NetworkError(f"a kernel of {size} for {leading} channels is too large")
    result = np.zeros((*leading, *size))
    for j, k in np.ndindex(rows, columns):
        y, x = j * stride[0], k * stride[1]
        result[..., y : y + height, x : x + width] += outer[..., j, k, None, None] * inner
    return result


def _begin_weighted(name: str, fused: _FusedOp) -> _FusedOp:
    if fused.weighted_op is not None:
        raise NetworkError(f"{name}: follows {fused.weighted_name} with no neurons between them")
    return replace(fused, weighted_name=name)


def _finish(fused: _FusedOp, source: Shape) -> FusedLinear:
    op, shape = fused.weighted_op, fused.shape
    if isinstance(op, LinearOp):
        return FusedLinear("dense", op.weights, op.bias, shape)
    if isinstance(op, ConvOp):
        geometry = op.stride, op.padding, op.dilation, op.groups
        return FusedLinear("conv", op.weights, op.bias, shape, *geometry)
    gain, offset = fused.gain, fused.offset
    if len(source) == 1:
        bias = np.broadcast_to(offset, source).astype(np.float64)
        return FusedLinear("dense", np.eye(source[0]) * gain.reshape(-1, 1), bias, source)
    gain, offset = (
        values if values.size == 1 else values.reshape(shape[0], -1)[:, 0]
        for values in (gain, offset)
    )
    pool, bias = fused.pool, np.zeros(shape[0])
    linear = FusedLinear(
        "sum_pool",
        np.array([pool.scale]),
        bias,
        shape,
        pool.stride,
        pool.padding,
        kernel=pool.kernel,
    )
    return replace(linear.scale_by(gain), bias=bias + offset)


def _apply_flatten(fused: _FusedOp) -> _FusedOp:
    if fused.flat or len(fused.shape) != 3 or fused.weighted_op is not None:
        return replace(fused, flat=True)
    pixels = fused.shape[1] * fused.shape[2]
    gain, offset = (
        values if values.size == 1 else np.repeat(values, pixels)
        for values in (fused.gain, fused.offset)
    )
    return replace(fused, flat=True, gain=gain, offset=offset)


def _apply_affine(name: str, fused: _FusedOp, op: AffineOp) -> _FusedOp:
    if fused.weighted_op is None:
        channels = int(np.prod(fused.shape)) if fused.flat else fused.shape[0]
        if op.gain.size not in (1, channels):
            raise NetworkError(f"{name}: has {op.gain.size} channels, but gets {channels}")
        return replace(fused, gain=fused.gain * op.gain, offset=fused.offset * op.gain + op.offset)
    weights, bias = fused.weighted_op.weights, fused.weighted_op.bias
    if op.gain.size != 1 and op.gain.shape != bias.shape:
        raise NetworkError(f"{name}: has {op.gain.size} channels, but gets {bias.size}")
    weights = weights * op.gain.reshape(-1, *[1] * (weights.ndim - 1))
    bias = bias * op.gain + op.offset
    return replace(fused, weighted_op=replace(fused.weighted_op, weights=weights, bias=bias))


def _apply_pool(name: str, fused: _FusedOp, op: PoolOp) -> _FusedOp:
    shape = _output_size(name, fused.shape, op, op.kernel, fused.shape[0])
    before, window = fused.pool, np.full(op.kernel, op.scale)
    if isinstance(fused.weighted_op, ConvOp):
        if op.padding != (0, 0):
            raise NetworkError(
                f"{name}: pads the output of {fused.weighted_name}; pool without padding"
            )
        conv = fused.weighted_op
        pooled = ConvOp(
            compose_kernels(window, conv.stride, _dilate_kernel(conv)),
            conv.bias * window.sum(),
            _multiply_pairs(conv.stride, op.stride),
            conv.padding,
            groups=conv.groups,
        )
        return replace(fused, shape=shape, weighted_op=pooled)
    if op.padding != (0, 0) and np.any(fused.offset):
        raise NetworkError(f"{name}: pads a value that has an offset; pool without padding")
    fused = replace(fused, offset=fused.offset * window.sum())
    if before == IDENTITY_POOL:
        return replace(fused, shape=shape, pool=op)
    if before.kernel != before.stride or op.padding != (0, 0):
        raise NetworkError(f"{name}: follows a pool that overlaps, or pads it; pool once")
    kernel = _multiply_pairs(before.kernel, op.kernel)
    stride = _multiply_pairs(before.stride, op.stride)
    pool = PoolOp(kernel, stride, before.padding, before.scale * op.scale)
    return replace(fused, shape=shape, pool=pool)


def _apply_conv(name: str, fused: _FusedOp, op: ConvOp, source: Shape) -> _FusedOp:
    channels = op.weights.shape[1] * op.groups
    if fused.shape[0] != channels:
        raise NetworkError(f"{name}: takes {channels} channels, but gets {fused.shape[0]}")
    kernel = int(op.weights.shape[2]), int(op.weights.shape[3])
    shape = _output_size(name, fused.shape, op, kernel, op.weights.shape[0])
    pool, op = fused.pool, _absorb_into_conv(name, fused, op)
    if pool == IDENTITY_POOL:
        return replace(fused, shape=shape, weighted_op=op)
    for axis in (0, 1):
        covered = fused.shape[axis + 1] * pool.stride[axis] >= source[axis + 1]
        disjoint = pool.kernel[axis] <= pool.stride[axis]
        if op.padding[axis] and not (disjoint and covered and not pool.padding[axis]):
            raise NetworkError(
                f"{name}: pads a pool that overlaps, is padded or leaves pixels out; choose sizes "
                "that its stride divides, or no padding"
            )
    inset = _multiply_pairs(op.padding, pool.stride)
    conv = ConvOp(
        compose_kernels(_dilate_kernel(op), pool.stride, np.full(pool.kernel, pool.scale)),
        op.bias,
        _multiply_pairs(op.stride, pool.stride),
        (inset[0] + pool.padding[0], inset[1] + pool.padding[1]),
        groups=op.groups,
    )
    return replace(fused, shape=shape, weighted_op=conv)


def _absorb_into_conv(name: str, fused: _FusedOp, op: ConvOp) -> ConvOp:
    """`op` with the gain and offset before it in its weights and bias."""
    if op.padding != (0, 0) and np.any(fused.offset):
        raise NetworkError(
            f"{name}: pads the output of an affine layer, whose offset the border lacks; move that "
            "layer after the convolution, or use no padding"
        )
    channels = op.weights.shape[1] * op.groups
    gain, offset = (
        np.broadcast_to(values, channels).reshape(op.groups, 1, -1, 1, 1)
        for values in (fused.gain, fused.offset)
    )
    grouped = op.weights.reshape(op.groups, -1, *op.weights.shape[1:])
    bias = op.bias + (grouped * offset).sum(axis=(2, 3, 4)).reshape(-1)
    return replace(op, weights=(grouped * gain).reshape(op.weights.shape), bias=bias)


def _apply_linear(name: str, fused: _FusedOp, op: LinearOp, source: Shape) -> _FusedOp:
    outputs, inputs = op.weights.shape
    if inputs != np.prod(fused.shape):
        raise NetworkError(
            f"{name}: takes {inputs} neurons, but gets {fused.shape}, {np.prod(fused.shape)}"
        )
    first = fused.weighted_op
    if isinstance(first, LinearOp):
        composed = LinearOp(op.weights @ first.weights, op.weights @ first.bias + op.bias)
        return replace(fused, shape=(outputs,), weighted_op=composed, weighted_name=name)
    gain, offset = (
        values if values.size == 1 else np.repeat(values, inputs // values.size)
        for values in (fused.gain, fused.offset)
    )
    bias = op.bias + (op.weights * offset).sum(axis=1)
    pool, op = fused.pool, LinearOp(op.weights * gain, bias)
    if pool != IDENTITY_POOL:
        (top, left), (height, width) = pool.padding, pool.kernel
        weights = op.weights.reshape(outputs, *fused.shape)
        padded = np.zeros((outputs, source[0], source[1] + 2 * top, source[2] + 2 * left))
        for y, x in np.ndindex(*fused.shape[1:]):
            down, right = y * pool.stride[0], x * pool.stride[1]
            window = padded[:, :, down : down + height, right : right + width]
            window += weights[:, :, y, x, None, None] * pool.scale
        inner = padded[:, :, top : top + source[1], left : left + source[2]]
        op = LinearOp(inner.reshape(outputs, -1), op.bias)
    return replace(fused, shape=(outputs,), weighted_op=op)


def _dilate_kernel(op: ConvOp) -> Float64Array:
    """The kernel with the zeros of its dilation written out."""
    return compose_kernels(op.weights, op.dilation, np.ones((1, 1)))


def _multiply_pairs(left: Pair, right: Pair) -> Pair:
    return left[0] * right[0], left[1] * right[1]


def _output_size(
    name: str, shape: Shape, op: PoolOp | ConvOp, kernel: Pair, channels: int
) -> Shape:
    """Output shape of windows of `kernel` over `shape`."""
    dilation = op.dilation if isinstance(op, ConvOp) else (1, 1)
    counts = []
    for axis in (0, 1):
        extent = dilation[axis] * (kernel[axis] - 1) + 1
        room = shape[axis + 1] + 2 * op.padding[axis] - extent
        if room < 0:
            raise NetworkError(f"{name}: a window of {extent} does not fit into {shape}")
        counts.append(room // op.stride[axis] + 1)
    return (channels, *counts)
