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

from ..runtime.errors import NetworkError
from .steps import AS_IT_IS, Flatten, Gain, Joined, Kernels, Matrix, Pair, Pool, Reals, Shape, Step

MOST_WEIGHTS = 1 << 28


@dataclass(frozen=True)
class _Stretch:
    """The steps so far: a `pool`, then a weighted map called `name`; and the `shape` they give."""

    shape: Shape
    pool: Pool = AS_IT_IS
    map: Kernels | Matrix | None = None
    name: str = ""
    flat: bool = False


def joined(steps: Sequence[tuple[str, Step]], source: Shape) -> Joined:
    """Return what named `steps` after a population of shape `source` come to.

    Raises `NetworkError` with a step's name where shapes do not meet or no one projection does.
    """
    stretch = _Stretch(source)
    for name, step in steps:
        if isinstance(step, Flatten):
            stretch = replace(stretch, flat=True)
        elif isinstance(step, Gain):
            stretch = _gained(name, stretch, step)
        elif isinstance(step, Matrix):
            stretch = _mapped(name, _fresh(name, stretch), step, source)
        elif len(stretch.shape) != 3 or stretch.flat:
            raise NetworkError(f"{name}: takes images, but gets a flat layer")
        elif isinstance(step, Pool):
            stretch = _pooled(name, stretch, step)
        else:
            stretch = _convolved(name, _fresh(name, stretch), step, source)
    return _ended(stretch, source)


def composed(outer: Reals, stride: Pair, inner: Reals) -> Reals:
    """Return the kernel that does `inner`, with `stride`, and then `outer`, both (..., y, x)."""
    (rows, columns), (height, width) = outer.shape[-2:], inner.shape[-2:]
    leading = np.broadcast_shapes(outer.shape[:-2], inner.shape[:-2])
    size = (rows - 1) * stride[0] + height, (columns - 1) * stride[1] + width
    if math.prod((*leading, *size)) > MOST_WEIGHTS:
        raise NetworkError(f"a kernel of {size} for {leading} channels is too large")
    result = np.zeros((*leading, *size))
    for j, k in np.ndindex(rows, columns):
        y, x = j * stride[0], k * stride[1]
        result[..., y : y + height, x : x + width] += outer[..., j, k, None, None] * inner
    return result


def _fresh(name: str, stretch: _Stretch) -> _Stretch:
    if stretch.map is not None:
        raise NetworkError(f"{name}: follows {stretch.name} with no neurons between them")
    return replace(stretch, name=name)


def _ended(stretch: _Stretch, source: Shape) -> Joined:
    step, shape = stretch.map, stretch.shape
    if isinstance(step, Matrix):
        return Joined("dense", step.weights, step.bias, shape)
    if isinstance(step, Kernels):
        geometry = step.stride, step.padding, step.dilation, step.groups
        return Joined("conv", step.weights, step.bias, shape, *geometry)
    if len(source) == 1:
        return Joined("dense", np.eye(source[0]), np.zeros(source), source)
    pool, weights = stretch.pool, np.array([stretch.pool.share])
    return Joined(
        "sum_pool",
        weights,
        np.zeros(shape[0]),
        shape,
        pool.stride,
        pool.padding,
        kernel=pool.kernel,
    )


def _gained(name: str, stretch: _Stretch, step: Gain) -> _Stretch:
    if stretch.map is None:
        raise NetworkError(f"{name}: comes before the linear map; put it after")
    weights, bias = stretch.map.weights, stretch.map.bias
    if step.gain.shape != bias.shape:
        raise NetworkError(f"{name}: has {step.gain.size} channels, but gets {bias.size}")
    weights = weights * step.gain.reshape(-1, *[1] * (weights.ndim - 1))
    bias = bias * step.gain + step.offset
    return replace(stretch, map=replace(stretch.map, weights=weights, bias=bias))


def _pooled(name: str, stretch: _Stretch, step: Pool) -> _Stretch:
    shape = _counted(name, stretch.shape, step, step.kernel, stretch.shape[0])
    before, window = stretch.pool, np.full(step.kernel, step.share)
    if isinstance(stretch.map, Kernels):
        if step.padding != (0, 0):
            raise NetworkError(f"{name}: pads what {stretch.name} gives; pool without padding")
        kernels = stretch.map
        weights = composed(window, kernels.stride, _undilated(kernels))
        after = Kernels(
            weights,
            kernels.bias * window.sum(),
            _product(kernels.stride, step.stride),
            kernels.padding,
            groups=kernels.groups,
        )
        return replace(stretch, shape=shape, map=after)
    if before == AS_IT_IS:
        return replace(stretch, shape=shape, pool=step)
    if before.kernel != before.stride or step.padding != (0, 0):
        raise NetworkError(f"{name}: follows a pool that overlaps, or pads it; pool once")
    kernel, stride = _product(before.kernel, step.kernel), _product(before.stride, step.stride)
    pool = Pool(kernel, stride, before.padding, before.share * step.share)
    return replace(stretch, shape=shape, pool=pool)


def _convolved(name: str, stretch: _Stretch, step: Kernels, source: Shape) -> _Stretch:
    channels = step.weights.shape[1] * step.groups
    if stretch.shape[0] != channels:
        raise NetworkError(f"{name}: takes {channels} channels, but gets {stretch.shape[0]}")
    kernel = int(step.weights.shape[2]), int(step.weights.shape[3])
    shape = _counted(name, stretch.shape, step, kernel, step.weights.shape[0])
    pool = stretch.pool
    if pool == AS_IT_IS:
        return replace(stretch, shape=shape, map=step)
    for axis in (0, 1):
        reached = stretch.shape[axis + 1] * pool.stride[axis]
        apart = pool.kernel[axis] <= pool.stride[axis] and reached >= source[axis + 1]
        if step.padding[axis] and not (apart and not pool.padding[axis]):
            raise NetworkError(
                f"{name}: pads a pool that overlaps, is padded or leaves pixels out; choose sizes "
                "that its stride divides, or no padding"
            )
    inset = _product(step.padding, pool.stride)
    padding = inset[0] + pool.padding[0], inset[1] + pool.padding[1]
    weights = composed(_undilated(step), pool.stride, np.full(pool.kernel, pool.share))
    stride = _product(step.stride, pool.stride)
    return replace(
        stretch, shape=shape, map=Kernels(weights, step.bias, stride, padding, groups=step.groups)
    )


def _mapped(name: str, stretch: _Stretch, step: Matrix, source: Shape) -> _Stretch:
    outputs, inputs = step.weights.shape
    if inputs != np.prod(stretch.shape):
        raise NetworkError(
            f"{name}: takes {inputs} neurons, but gets {stretch.shape}, {np.prod(stretch.shape)}"
        )
    pool = stretch.pool
    if pool != AS_IT_IS:
        (top, left), (height, width) = pool.padding, pool.kernel
        weights = step.weights.reshape(outputs, *stretch.shape)
        spread = np.zeros((outputs, source[0], source[1] + 2 * top, source[2] + 2 * left))
        for y, x in np.ndindex(*stretch.shape[1:]):
            down, right = y * pool.stride[0], x * pool.stride[1]
            window = spread[:, :, down : down + height, right : right + width]
            window += weights[:, :, y, x, None, None] * pool.share
        inner = spread[:, :, top : top + source[1], left : left + source[2]]
        step = Matrix(inner.reshape(outputs, -1), step.bias)
    return replace(stretch, shape=(outputs,), map=step)


def _undilated(step: Kernels) -> Reals:
    return composed(step.weights, step.dilation, np.ones((1, 1)))


def _product(left: Pair, right: Pair) -> Pair:
    return left[0] * right[0], left[1] * right[1]


def _counted(name: str, shape: Shape, step: Any, kernel: Pair, channels: int) -> Shape:
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
