"""Linear operations of torch functions: from their arguments to the operations of a path."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..diagnostics import UnsupportedLayerError
from ..quantize.linear_ops import AffineOp, ConvOp, LinearOp, Op, Pair, PoolOp, Shape
from .torch_layers import to_numpy


def to_pair(value: Any) -> Pair:
    """Convert a size of torch, one number or two."""
    values = (value, value) if isinstance(value, int) else tuple(value)
    return int(values[0]), int(values[-1])


def linear_op(x: Any, weight: Any, bias: Any = None) -> Op:
    """Operation of `linear`."""
    weights = to_numpy(weight)
    if weights.ndim != 2:
        raise UnsupportedLayerError(f"has weights of shape {weights.shape}, needs a matrix")
    return LinearOp(weights, np.zeros(len(weights)) if bias is None else to_numpy(bias))


def matmul_op(x: Any, other: Any) -> Op:
    """Operation of `x @ other`."""
    return linear_op(x, other.t() if other.dim() == 2 else other)


def conv_op(  # noqa: PLR0913  torch's own signature
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Op:
    """Operation of `conv2d`."""
    weights = to_numpy(weight)
    pairs = to_pair(stride), to_pair(dilation)
    if padding == "valid":
        padding = 0
    elif padding == "same":
        extra = [d * (size - 1) for d, size in zip(pairs[1], weights.shape[2:], strict=True)]
        if extra[0] % 2 or extra[1] % 2:
            raise UnsupportedLayerError("padding is 'same' with an even kernel", "give numbers")
        padding = extra[0] // 2, extra[1] // 2
    offsets = np.zeros(len(weights)) if bias is None else to_numpy(bias)
    return ConvOp(weights, offsets, pairs[0], to_pair(padding), pairs[1], int(groups))


def batch_norm_op(  # noqa: PLR0913  torch's own signature
    x: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Op:
    """Operation of `batch_norm` with its running statistics."""
    if training or running_var is None:
        raise UnsupportedLayerError(
            "normalizes by the statistics of the batch", "train with running statistics"
        )
    gain = 1 / np.sqrt(to_numpy(running_var) + eps)
    gain = gain if weight is None else gain * to_numpy(weight)
    offset = -to_numpy(running_mean) * gain
    return AffineOp(gain, offset if bias is None else offset + to_numpy(bias))


def avg_pool_op(  # noqa: PLR0913  torch's own signature
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Op:
    """Operation of `avg_pool2d`."""
    kernel, pads = to_pair(kernel_size), to_pair(padding)
    _check_ceil_mode(ceil_mode)
    if pads != (0, 0) and not count_include_pad:
        raise UnsupportedLayerError(
            "count_include_pad is off", "use count_include_pad=True or no padding"
        )
    size = divisor_override or kernel[0] * kernel[1]
    return PoolOp(kernel, to_pair(stride or kernel_size), pads, 1 / size)


def adaptive_avg_pool_op(x: Any, output_size: Any) -> Op:
    """Operation of `adaptive_avg_pool2d`, where its windows are equal."""
    sizes = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    height, width = (int(size) for size in x.shape[-2:])
    rows, columns = (size or own for size, own in zip(sizes, (height, width), strict=True))
    if height % rows or width % columns:
        raise UnsupportedLayerError(
            f"{(height, width)} does not divide into {rows} by {columns} windows"
        )
    kernel = height // rows, width // columns
    return PoolOp(kernel, kernel, scale=1 / (kernel[0] * kernel[1]))


def avg_pool_1d_op(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, *others: Any
) -> Op:
    """Operation of `avg_pool1d` over groups of neurons."""
    kernel = int(np.ravel(kernel_size)[0])
    step = kernel if stride in (None, ()) else int(np.ravel(stride)[0])
    length = int(x.shape[-1])
    if x.shape[-2] != 1 or int(np.ravel(padding)[0]) or any(others) or length % kernel:
        raise UnsupportedLayerError("pools more than groups of the neurons of one layer")
    starts = range(0, length - kernel + 1, step)
    weights = np.stack([np.isin(np.arange(length), range(s, s + kernel)) for s in starts]) / kernel
    return LinearOp(weights, np.zeros(len(weights)))


def max_pool_op(  # noqa: PLR0913  torch's own signature
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> PoolOp:
    """Window of `max_pool2d`."""
    _check_ceil_mode(ceil_mode)
    if to_pair(dilation) != (1, 1) or return_indices:
        raise UnsupportedLayerError("dilation is not 1, or indices are returned", "use neither")
    return PoolOp(to_pair(kernel_size), to_pair(stride or kernel_size), to_pair(padding))


def _check_ceil_mode(ceil_mode: bool) -> None:
    if ceil_mode:
        raise UnsupportedLayerError("ceil_mode is on", "use ceil_mode=False")


# Function -> operation, and the number of axes of one input value (0: all but the first).
LINEAR_FUNCTIONS: Mapping[str, tuple[Callable[..., Op], int]] = {
    "linear": (linear_op, 1),
    "matmul": (matmul_op, 1),
    "__matmul__": (matmul_op, 1),
    "conv2d": (conv_op, 3),
    "batch_norm": (batch_norm_op, 0),
    "avg_pool2d": (avg_pool_op, 3),
    "adaptive_avg_pool2d": (adaptive_avg_pool_op, 3),
    "avg_pool1d": (avg_pool_1d_op, 2),
}


def output_shape(op: Op, shape: Shape) -> Shape:
    """Output shape of `op` per sample."""
    if isinstance(op, LinearOp):
        return (len(op.weights),)
    if isinstance(op, ConvOp | PoolOp):
        return tuple(apply_op(op, np.zeros(shape)).shape)
    return shape


def apply_op(op: Op, value: Any) -> Any:
    """Output of `op` for one sample without batch, float64, its bias included."""
    import torch
    from torch.nn import functional

    x = torch.from_numpy(np.ascontiguousarray(value, np.float64))[None]
    if isinstance(op, LinearOp):
        weights, bias = torch.from_numpy(op.weights), torch.from_numpy(op.bias)
        result = functional.linear(x.flatten(1), weights, bias)
    elif isinstance(op, ConvOp):
        weights, bias = torch.from_numpy(op.weights), torch.from_numpy(op.bias)
        result = functional.conv2d(x, weights, bias, op.stride, op.padding, op.dilation, op.groups)
    elif isinstance(op, PoolOp):
        padded = functional.avg_pool2d(
            functional.pad(x, (op.padding[1],) * 2 + (op.padding[0],) * 2), op.kernel, op.stride
        )
        result = padded * (op.scale * op.kernel[0] * op.kernel[1])
    elif isinstance(op, AffineOp):
        view = (-1, *[1] * (x.dim() - 2)) if op.gain.size != x[0].numel() else x.shape[1:]
        result = x * torch.from_numpy(op.gain).reshape(view)
        result = result + torch.from_numpy(op.offset).reshape(view if op.offset.size > 1 else (1,))
    else:
        result = x
    return result[0].numpy()


def without_bias(op: Op) -> Op:
    """`op` without its bias, which is part of the offset."""
    if isinstance(op, LinearOp):
        return LinearOp(op.weights, np.zeros(len(op.weights)))
    if isinstance(op, ConvOp):
        geometry = op.stride, op.padding, op.dilation, op.groups
        return ConvOp(op.weights, np.zeros(len(op.weights)), *geometry)
    if isinstance(op, AffineOp):
        return AffineOp(op.gain, np.zeros_like(op.offset))
    return op


def has_bias(op: Op) -> bool:
    """Test for a bias other than zero."""
    bias = op.offset if isinstance(op, AffineOp) else getattr(op, "bias", np.zeros(1))
    return bool(np.any(bias))


def restrict_op(op: Op, features: Any, positions: Any, source: Shape, row: Shape) -> Op:
    """Operation on one part of a row: `features` of a cell at `positions` of the input of `op`.

    Raises:
        UnsupportedLayerError: The part has no operation of its own.
    """
    size = int(np.prod(source))
    if isinstance(op, LinearOp):
        weights = np.zeros((len(op.weights), size))
        np.add.at(weights.T, features, op.weights[:, positions].T)
        return LinearOp(weights, op.bias)
    pixels = int(np.prod(row[1:]))
    whole_channels = len(source) == 3 and source[1:] == row[1:] and len(features) % pixels == 0
    if isinstance(op, ConvOp) and op.groups == 1 and whole_channels:
        taken = features.reshape(-1, pixels)
        places = positions.reshape(-1, pixels)
        if all(np.array_equal(a, a[:, :1] + np.arange(pixels)) for a in (taken, places)):
            weights = np.zeros((len(op.weights), source[0], *op.weights.shape[2:]))
            weights[:, taken[:, 0] // pixels] = op.weights[:, places[:, 0] // pixels]
            geometry = op.stride, op.padding, op.dilation, op.groups
            return ConvOp(weights, op.bias, *geometry)
    raise UnsupportedLayerError(
        f"takes a concatenation or permutation, of which {type(op).__name__.removesuffix('Op')} "
        "has no parts",
        "concatenate channels before a convolution or linear layer",
    )
