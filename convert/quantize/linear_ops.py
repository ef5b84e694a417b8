"""Linear operations between two populations, and the projection that they are fused into.

Weights and biases are float64.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .float_network import FloatProjection

Float64Array = NDArray[np.float64]
Pair = tuple[int, int]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class PoolOp:
    """Sum over a window of each channel, times `scale`: 1 / window size for average pooling."""

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    scale: float = 1.0


@dataclass(frozen=True)
class ConvOp:
    """2-D convolution as torch's, `weights` (outputs, inputs / groups, height, width)."""

    weights: Float64Array
    bias: Float64Array
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True)
class LinearOp:
    """Fully connected layer, `weights` (outputs, inputs)."""

    weights: Float64Array
    bias: Float64Array


@dataclass(frozen=True)
class AffineOp:
    """Per-channel `gain` and `offset`: batch norm with its running statistics."""

    gain: Float64Array
    offset: Float64Array


@dataclass(frozen=True)
class FlattenOp:
    """Flatten channels, rows and columns to one axis."""


Op = PoolOp | ConvOp | LinearOp | AffineOp | FlattenOp
IDENTITY_POOL = PoolOp((1, 1), (1, 1))


@dataclass(frozen=True)
class FusedLinear:
    """Linear operations fused into one projection, with the bias per channel and output shape."""

    kind: Literal["conv", "dense", "sum_pool"]
    weights: Float64Array
    bias: Float64Array
    shape: Shape
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    kernel: Pair = (1, 1)

    def scale_by(self, gain: float | Float64Array) -> "FusedLinear":
        """Multiply weights and bias by `gain`, one number or one per channel.

        A sum pool whose channels are scaled differently becomes a depthwise convolution.
        """
        factors = np.broadcast_to(gain, self.bias.shape)
        if self.kind == "sum_pool":
            if np.ptp(factors) == 0:
                return replace(self, weights=self.weights * factors[0])
            weights = np.full((len(factors), 1, *self.kernel), self.weights[0])
            return replace(self, kind="conv", weights=weights, groups=len(factors)).scale_by(gain)
        weights = self.weights * factors.reshape(-1, *[1] * (self.weights.ndim - 1))
        return replace(self, weights=weights, bias=self.bias * factors)

    def to_projection(self, name: str, source: str, target: str, delay: int = 0) -> FloatProjection:
        """Convert to a projection of a `FloatNetwork`; the bias belongs to the population."""
        return FloatProjection(
            name,
            source,
            target,
            self.kind,
            self.weights.astype(np.float32),
            self.stride,
            self.padding,
            self.dilation,
            self.groups,
            self.kernel,
            delay,
        )
