"""Pools, maps and batch norm as one projection: what torch gives for them one after the other."""

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


def kernels(*shape: int, **geometry: Any) -> ConvOp:
    return ConvOp(rng.normal(size=shape), rng.normal(size=shape[0]), **geometry)


def matrix(outputs: int, inputs: int) -> LinearOp:
    return LinearOp(rng.normal(size=(outputs, inputs)), rng.normal(size=outputs))


def one_by_one(step: Op, values: torch.Tensor) -> torch.Tensor:
    """What torch gives for `step`, in double precision."""
    if isinstance(step, FlattenOp):
        return values.flatten(1)
    if isinstance(step, PoolOp):
        share = step.scale * np.prod(step.kernel)
        return functional.avg_pool2d(values, step.kernel, step.stride, step.padding) * share
    if isinstance(step, AffineOp):
        shape = (-1, *[1] * (values.dim() - 2))
        return values * tensor(step.gain).view(shape) + tensor(step.offset).view(shape)
    weights, bias = tensor(step.weights), tensor(step.bias)
    if isinstance(step, LinearOp):
        return functional.linear(values.flatten(1), weights, bias)
    return functional.conv2d(
        values, weights, bias, step.stride, step.padding, step.dilation, step.groups
    )


def at_once(step: FusedLinear, values: torch.Tensor) -> torch.Tensor:
    weights, bias = tensor(step.weights), tensor(step.bias)
    if step.kind == "dense":
        return functional.linear(values.flatten(1), weights, bias)
    groups = step.groups
    if step.kind == "sum_pool":
        groups = values.shape[1]
        weights = weights.expand(groups, 1, *step.kernel)
    return functional.conv2d(
        values, weights, bias, step.stride, step.padding, step.dilation, groups
    )


def tensor(values: Any) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float64))


GAIN = AffineOp(rng.normal(size=6), rng.normal(size=6))
STEPS: dict[str, list[Op]] = {
    "nothing": [],
    "conv": [kernels(6, 2, 3, 2, stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2), GAIN],
    "mean": [MEAN],
    "padded mean": [PoolOp((3, 3), (2, 2), (1, 1), 1 / 9)],
    "mean of means": [MEAN, PoolOp((3, 2), (1, 2), scale=0.5)],
    "mean, conv": [MEAN, kernels(6, 4, 3, 3, padding=(1, 1)), GAIN],
    "mean, strided": [MEAN, kernels(6, 4, 3, 3, stride=(2, 1), dilation=(2, 1))],
    "overlap, conv": [PoolOp((3, 3), (2, 2)), kernels(6, 2, 2, 2, groups=2)],
    "padded mean, conv": [PoolOp((2, 2), (2, 2), (1, 1)), kernels(6, 4, 2, 2)],
    "conv, mean": [kernels(6, 4, 3, 3, stride=(2, 1), padding=(1, 1)), MEAN, GAIN],
    "dilated, sum": [kernels(6, 2, 2, 3, dilation=(3, 2), groups=2), GAIN, PoolOp((3, 2), (2, 1))],
    "mean, conv, mean": [MEAN, kernels(6, 4, 3, 3, padding=(1, 1)), MEAN],
    "matrix": [matrix(6, 384), GAIN],
    "mean, matrix": [MEAN, FlattenOp(), matrix(6, 96)],
    "padded overlap, matrix": [PoolOp((3, 3), (2, 2), (1, 1)), FlattenOp(), matrix(6, 96)],
    "mean of all": [PoolOp((12, 8), (12, 8), scale=1 / 96), FlattenOp(), matrix(3, 4)],
}


@pytest.mark.parametrize("name", STEPS)
def test_steps_joined_are_the_steps_one_by_one(name: str) -> None:
    values = tensor(rng.normal(size=(2, *IMAGE)))
    result = fuse_linear_ops([(str(n), step) for n, step in enumerate(STEPS[name])], IMAGE)
    expected = values
    for step in STEPS[name]:
        expected = one_by_one(step, expected)
    found = at_once(result, values)
    assert result.shape == tuple(found.shape[1:])
    torch.testing.assert_close(found.reshape(expected.shape), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["mean", "mean, conv", "matrix"])
def test_a_gain_of_each_channel_scales_what_arrives(name: str) -> None:
    values = tensor(rng.normal(size=(2, *IMAGE)))
    plain = fuse_linear_ops([(str(n), step) for n, step in enumerate(STEPS[name])], IMAGE)
    gain = rng.normal(size=plain.bias.shape)
    expected = one_by_one(AffineOp(gain, np.zeros_like(gain)), at_once(plain, values))
    torch.testing.assert_close(at_once(plain.scale_by(gain), values), expected, rtol=0, atol=1e-12)


REFUSED: dict[str, tuple[Callable[[], list[Op]], str]] = {
    "two maps": (lambda: [matrix(6, 384), matrix(2, 6)], "1: follows 0 with no neurons between"),
    "norm first": (lambda: [GAIN, matrix(6, 384)], "0: precedes the linear layer"),
    "norm size": (lambda: [matrix(5, 384), GAIN], "1: has 6 channels, but gets 5"),
    "channels": (lambda: [kernels(6, 3, 3, 3)], "0: takes 3 channels, but gets 4"),
    "neurons": (lambda: [matrix(6, 99)], r"0: takes 99 neurons, but gets \(4, 12, 8\), 384"),
    "window": (lambda: [PoolOp((13, 2), (2, 2))], "0: a window of 13 does not fit"),
    "flat": (lambda: [FlattenOp(), kernels(6, 4, 3, 3)], "1: takes images, but gets a flat layer"),
    "left out": (
        lambda: [PoolOp((5, 2), (5, 2)), kernels(6, 4, 3, 3, padding=(1, 1))],
        "1: pads a pool that overlaps, is padded or leaves pixels out",
    ),
    "padded after": (
        lambda: [kernels(6, 4, 3, 3), PoolOp((2, 2), (2, 2), (1, 1))],
        "1: pads the output of 0",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_one_projection_does_is_refused_by_name(name: str) -> None:
    make, text = REFUSED[name]
    with pytest.raises(NetworkError, match=text):
        fuse_linear_ops([(str(n), step) for n, step in enumerate(make())], IMAGE)
