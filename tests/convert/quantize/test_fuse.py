"""Fusion of pooling, conv, linear and batch norm: equal to torch layer by layer."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from pumice.convert.quantize.fuse import fuse_linear_ops
from pumice.convert.quantize.linear_ops import (
    AffineOp,
    ConvOp,
    FlattenOp,
    FusedLinear,
    LinearOp,
    Op,
    PoolOp,
)
from pumice.runtime.errors import NetworkError

rng = np.random.default_rng(2)
IMAGE = (4, 12, 8)
MEAN = PoolOp((2, 2), (2, 2), scale=0.25)


def random_conv(*shape: int, **geometry: Any) -> ConvOp:
    return ConvOp(rng.normal(size=shape), rng.normal(size=shape[0]), **geometry)


def random_linear(outputs: int, inputs: int) -> LinearOp:
    return LinearOp(rng.normal(size=(outputs, inputs)), rng.normal(size=outputs))


def apply_op(op: Op, values: torch.Tensor) -> torch.Tensor:
    """Output of torch for one operation, in double precision."""
    if isinstance(op, FlattenOp):
        return values.flatten(1)
    if isinstance(op, PoolOp):
        scale = op.scale * np.prod(op.kernel)
        return functional.avg_pool2d(values, op.kernel, op.stride, op.padding) * scale
    if isinstance(op, AffineOp):
        shape = (-1, *[1] * (values.dim() - 2))
        return values * tensor(op.gain).view(shape) + tensor(op.offset).view(shape)
    weights, bias = tensor(op.weights), tensor(op.bias)
    if isinstance(op, LinearOp):
        return functional.linear(values.flatten(1), weights, bias)
    return functional.conv2d(values, weights, bias, op.stride, op.padding, op.dilation, op.groups)


def apply_fused(op: FusedLinear, values: torch.Tensor) -> torch.Tensor:
    weights, bias = tensor(op.weights), tensor(op.bias)
    if op.kind == "dense":
        return functional.linear(values.flatten(1), weights, bias)
    groups = op.groups
    if op.kind == "sum_pool":
        groups = values.shape[1]
        weights = weights.expand(groups, 1, *op.kernel)
    return functional.conv2d(values, weights, bias, op.stride, op.padding, op.dilation, groups)


def tensor(values: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float64))


GAIN = AffineOp(rng.normal(size=6), rng.normal(size=6))
FIRST = AffineOp(rng.normal(size=4), rng.normal(size=4))
ALL = AffineOp(np.array([2.5]), np.array([-0.5]))
SEQUENCES: dict[str, list[Op]] = {
    "nothing": [],
    "conv": [
        random_conv(6, 2, 3, 2, stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
        GAIN,
    ],
    "mean": [MEAN],
    "padded mean": [PoolOp((3, 3), (2, 2), (1, 1), 1 / 9)],
    "mean of means": [MEAN, PoolOp((3, 2), (1, 2), scale=0.5)],
    "mean, conv": [MEAN, random_conv(6, 4, 3, 3, padding=(1, 1)), GAIN],
    "mean, strided": [MEAN, random_conv(6, 4, 3, 3, stride=(2, 1), dilation=(2, 1))],
    "overlap, conv": [PoolOp((3, 3), (2, 2)), random_conv(6, 2, 2, 2, groups=2)],
    "padded mean, conv": [PoolOp((2, 2), (2, 2), (1, 1)), random_conv(6, 4, 2, 2)],
    "conv, mean": [random_conv(6, 4, 3, 3, stride=(2, 1), padding=(1, 1)), MEAN, GAIN],
    "dilated, sum": [
        random_conv(6, 2, 2, 3, dilation=(3, 2), groups=2),
        GAIN,
        PoolOp((3, 2), (2, 1)),
    ],
    "mean, conv, mean": [MEAN, random_conv(6, 4, 3, 3, padding=(1, 1)), MEAN],
    "linear": [random_linear(6, 384), GAIN],
    "mean, linear": [MEAN, FlattenOp(), random_linear(6, 96)],
    "padded overlap, linear": [
        PoolOp((3, 3), (2, 2), (1, 1)),
        FlattenOp(),
        random_linear(6, 96),
    ],
    "norm": [FIRST],
    "norm, mean": [FIRST, MEAN, ALL],
    "norm, conv": [FIRST, random_conv(6, 2, 3, 2, stride=(2, 1), groups=2), GAIN],
    "norm, mean, conv": [FIRST, MEAN, ALL, random_conv(6, 4, 3, 3)],
    "mean, norm, linear": [MEAN, FIRST, FlattenOp(), random_linear(6, 96)],
    "flatten, norm, linear": [
        FlattenOp(),
        AffineOp(rng.normal(size=384), rng.normal(size=384)),
        random_linear(6, 384),
    ],
    "scale, padded conv": [
        AffineOp(np.array([3.0]), np.zeros(1)),
        random_conv(6, 4, 3, 3, padding=(1, 1)),
    ],
    "linear, norm, linear": [
        FlattenOp(),
        random_linear(6, 384),
        AffineOp(rng.normal(size=6), rng.normal(size=6)),
        random_linear(5, 6),
        random_linear(7, 5),
    ],
    "mean, linear, linear": [
        PoolOp((2, 2), (2, 2), scale=0.25),
        FlattenOp(),
        random_linear(6, 96),
        random_linear(5, 6),
    ],
    "mean of all": [PoolOp((12, 8), (12, 8), scale=1 / 96), FlattenOp(), random_linear(3, 4)],
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_fused_ops_equal_the_sequence(name: str) -> None:
    values = tensor(rng.normal(size=(2, *IMAGE)))
    result = fuse_linear_ops([(str(n), op) for n, op in enumerate(SEQUENCES[name])], IMAGE)
    expected = values
    for op in SEQUENCES[name]:
        expected = apply_op(op, expected)
    fused_output = apply_fused(result, values)
    assert result.shape == tuple(fused_output.shape[1:])
    torch.testing.assert_close(fused_output.reshape(expected.shape), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["mean", "mean, conv", "linear"])
def test_scale_by_a_gain_per_channel(name: str) -> None:
    values = tensor(rng.normal(size=(2, *IMAGE)))
    fused = fuse_linear_ops([(str(n), op) for n, op in enumerate(SEQUENCES[name])], IMAGE)
    gain = rng.normal(size=fused.bias.shape)
    expected = apply_op(AffineOp(gain, np.zeros_like(gain)), apply_fused(fused, values))
    torch.testing.assert_close(
        apply_fused(fused.scale_by(gain), values), expected, rtol=0, atol=1e-12
    )


UNSUPPORTED: dict[str, tuple[Callable[[], list[Op]], str]] = {
    "two maps": (
        lambda: [random_conv(6, 4, 3, 3), FlattenOp(), random_linear(2, 360)],
        "2: follows 0 with no neurons between",
    ),
    "norm first": (lambda: [GAIN, random_linear(6, 384)], "0: has 6 channels, but gets 4"),
    "padded norm": (
        lambda: [
            AffineOp(np.ones(4), np.ones(4)),
            ConvOp(np.ones((2, 4, 3, 3)), np.zeros(2), padding=(1, 1)),
        ],
        "1: pads the output of an affine layer",
    ),
    "norm size": (lambda: [random_linear(5, 384), GAIN], "1: has 6 channels, but gets 5"),
    "channels": (lambda: [random_conv(6, 3, 3, 3)], "0: takes 3 channels, but gets 4"),
    "neurons": (lambda: [random_linear(6, 99)], r"0: takes 99 neurons, but gets \(4, 12, 8\), 384"),
    "window": (lambda: [PoolOp((13, 2), (2, 2))], "0: a window of 13 does not fit"),
    "flat": (
        lambda: [FlattenOp(), random_conv(6, 4, 3, 3)],
        "1: takes images, but gets a flat layer",
    ),
    "left out": (
        lambda: [PoolOp((5, 2), (5, 2)), random_conv(6, 4, 3, 3, padding=(1, 1))],
        "1: pads a pool that overlaps, is padded or leaves pixels out",
    ),
    "padded after": (
        lambda: [random_conv(6, 4, 3, 3), PoolOp((2, 2), (2, 2), (1, 1))],
        "1: pads the output of 0",
    ),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_sequences_that_do_not_fuse_are_errors_that_name_the_layer(name: str) -> None:
    make_ops, text = UNSUPPORTED[name]
    with pytest.raises(NetworkError, match=text):
        fuse_linear_ops([(str(n), op) for n, op in enumerate(make_ops())], IMAGE)
