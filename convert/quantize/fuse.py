"""What lies between two populations, step by step, as the one projection that does the same.

Pools, a linear map and batch norm are all linear, so that any run of them with at most one weighted
map is a projection of its own: a mean over 2 by 2 before a 3 by 3 convolution is a convolution of
6 by 6. Composing kernels, `inner` first, then `outer`:

    result[j * stride + k] = sum over j, k of outer[j] * inner[k],  stride that of `inner`
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

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


@dataclass(frozen=True)
class _FusedOp:
    """The steps so far: a `pool`, then a weighted map called `name`; and the `shape` they give."""

    shape: Shape
    pool: PoolOp = IDENTITY_POOL
    weighted_op: ConvOp | LinearOp | None = None
    weighted_name: str = ""
    flat: bool = False


def fuse_linear_ops(steps: Sequence[tuple[str, Op]], source: Shape) -> FusedLinear:
    """Return what named `steps` after a population of shape `source` come to.

    Raises `NetworkError` with a step's name where shapes do not meet or no one projection does.
    """
    stretch = _FusedOp(source)
    for name, step in steps:
        if isinstance(step, FlattenOp):
            stretch = replace(stretch, flat=True)
        elif isinstance(step, AffineOp):
            stretch = _apply_affine(name, stretch, step)
        elif isinstance(step, LinearOp):
            stretch = _apply_linear(name, _begin_weighted(name, stretch), step, source)
        elif len(stretch.shape) != 3 or stretch.flat:
            raise NetworkError(f"{name}: takes images, but gets a flat layer")
        elif isinstance(step, PoolOp):
            stretch = _apply_pool(name, stretch, step)
        else:
            stretch = _apply_conv(name, _begin_weighted(name, stretch), step, source)
    return _finish(stretch, source)


def compose_kernels(outer: Float64Array, stride: Pair, inner: Float64Array) -> Float64Array:
    """Return the kernel that does `inner`, with `stride`, and then `outer`, both (..., y, x)."""
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


def _begin_weighted(name: str, stretch: _FusedOp) -> _FusedOp:
    if stretch.weighted_op is not None:
        raise NetworkError(f"{name}: follows {stretch.weighted_name} with no neurons between them")
    return replace(stretch, weighted_name=name)


def _finish(stretch: _FusedOp, source: Shape) -> FusedLinear:
    step, shape = stretch.weighted_op, stretch.shape
    if isinstance(step, LinearOp):
        return FusedLinear("dense", step.weights, step.bias, shape)
    if isinstance(step, ConvOp):
        geometry = step.stride, step.padding, step.dilation, step.groups
        return FusedLinear("conv", step.weights, step.bias, shape, *geometry)
    if len(source) == 1:
        return FusedLinear("dense", np.eye(source[0]), np.zeros(source), source)
    pool, weights = stretch.pool, np.array([stretch.pool.scale])
    return FusedLinear(
        "sum_pool",
        weights,
        np.zeros(shape[0]),
        shape,
        pool.stride,
        pool.padding,
        kernel=pool.kernel,
    )


def _apply_affine(name: str, stretch: _FusedOp, step: AffineOp) -> _FusedOp:
    if stretch.weighted_op is None:
        raise NetworkError(f"{name}: comes before the linear map; put it after")
    weights, bias = stretch.weighted_op.weights, stretch.weighted_op.bias
    if step.gain.shape != bias.shape:
        raise NetworkError(f"{name}: has {step.gain.size} channels, but gets {bias.size}")
    weights = weights * step.gain.reshape(-1, *[1] * (weights.ndim - 1))
    bias = bias * step.gain + step.offset
    return replace(stretch, weighted_op=replace(stretch.weighted_op, weights=weights, bias=bias))


def _apply_pool(name: str, stretch: _FusedOp, step: PoolOp) -> _FusedOp:
    shape = _output_size(name, stretch.shape, step, step.kernel, stretch.shape[0])
    before, window = stretch.pool, np.full(step.kernel, step.scale)
    if isinstance(stretch.weighted_op, ConvOp):
        if step.padding != (0, 0):
            raise NetworkError(
                f"{name}: pads what {stretch.weighted_name} gives; pool without padding"
            )
        kernels = stretch.weighted_op
        weights = compose_kernels(window, kernels.stride, _dilate_kernel(kernels))
        after = ConvOp(
            weights,
            kernels.bias * window.sum(),
            _multiply_pairs(kernels.stride, step.stride),
            kernels.padding,
            groups=kernels.groups,
        )
        return replace(stretch, shape=shape, weighted_op=after)
    if before == IDENTITY_POOL:
        return replace(stretch, shape=shape, pool=step)
    if before.kernel != before.stride or step.padding != (0, 0):
        raise NetworkError(f"{name}: follows a pool that overlaps, or pads it; pool once")
    kernel, stride = (
        _multiply_pairs(before.kernel, step.kernel),
        _multiply_pairs(before.stride, step.stride),
    )
    pool = PoolOp(kernel, stride, before.padding, before.scale * step.scale)
    return replace(stretch, shape=shape, pool=pool)


def _apply_conv(name: str, stretch: _FusedOp, step: ConvOp, source: Shape) -> _FusedOp:
    channels = step.weights.shape[1] * step.groups
    if stretch.shape[0] != channels:
        raise NetworkError(f"{name}: takes {channels} channels, but gets {stretch.shape[0]}")
    kernel = int(step.weights.shape[2]), int(step.weights.shape[3])
    shape = _output_size(name, stretch.shape, step, kernel, step.weights.shape[0])
    pool = stretch.pool
    if pool == IDENTITY_POOL:
        return replace(stretch, shape=shape, weighted_op=step)
    for axis in (0, 1):
        reached = stretch.shape[axis + 1] * pool.stride[axis]
        apart = pool.kernel[axis] <= pool.stride[axis] and reached >= source[axis + 1]
        if step.padding[axis] and not (apart and not pool.padding[axis]):
            raise NetworkError(
                f"{name}: pads a pool that overlaps, is padded or leaves pixels out; choose sizes "
                "that its stride divides, or no padding"
            )
    inset = _multiply_pairs(step.padding, pool.stride)
    padding = inset[0] + pool.padding[0], inset[1] + pool.padding[1]
    weights = compose_kernels(_dilate_kernel(step), pool.stride, np.full(pool.kernel, pool.scale))
    stride = _multiply_pairs(step.stride, pool.stride)
    return replace(
        stretch,
        shape=shape,
        weighted_op=ConvOp(weights, step.bias, stride, padding, groups=step.groups),
    )


def _apply_linear(name: str, stretch: _FusedOp, step: LinearOp, source: Shape) -> _FusedOp:
    outputs, inputs = step.weights.shape
    if inputs != np.prod(stretch.shape):
        raise NetworkError(
            f"{name}: takes {inputs} neurons, but gets {stretch.shape}, {np.prod(stretch.shape)}"
        )
    pool = stretch.pool
    if pool != IDENTITY_POOL:
        (top, left), (height, width) = pool.padding, pool.kernel
        weights = step.weights.reshape(outputs, *stretch.shape)
        spread = np.zeros((outputs, source[0], source[1] + 2 * top, source[2] + 2 * left))
        for y, x in np.ndindex(*stretch.shape[1:]):
            down, right = y * pool.stride[0], x * pool.stride[1]
            window = spread[:, :, down : down + height, right : right + width]
            window += weights[:, :, y, x, None, None] * pool.scale
        inner = spread[:, :, top : top + source[1], left : left + source[2]]
        step = LinearOp(inner.reshape(outputs, -1), step.bias)
    return replace(stretch, shape=(outputs,), weighted_op=step)


def _dilate_kernel(step: ConvOp) -> Float64Array:
    return compose_kernels(step.weights, step.dilation, np.ones((1, 1)))


def _multiply_pairs(left: Pair, right: Pair) -> Pair:
    return left[0] * right[0], left[1] * right[1]


def _output_size(name: str, shape: Shape, step: Any, kernel: Pair, channels: int) -> Shape:
    """Return the shape after windows of `kernel` have gone over `shape`."""
    dilation = getattr(step, "dilation", (1, 1))
    counts = []
    for axis in (0, 1):
        reach = dilation[axis] * (kernel[axis] - 1) + 1
        room = shape[axis + 1] + 2 * step.padding[axis] - reach
        if room < 0:
            raise NetworkError(f"{name}: a window of {reach} does not fit into {shape}")
        counts.append(room // step.stride[axis] + 1)
    return (channels, *counts)
