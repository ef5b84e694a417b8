"""The steps that may lie between two populations, in real numbers, and what they come to.

All of them are linear. Weights and biases are float64.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .graph import Synapses

Reals = NDArray[np.float64]
Pair = tuple[int, int]
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Pool:
    """The sum over a window of each channel, times `share` (a mean: one over the window's size)."""

    kernel: Pair
    stride: Pair
    padding: Pair = (0, 0)
    share: float = 1.0


@dataclass(frozen=True)
class Kernels:
    """A convolution as torch's, `weights` (outputs, inputs / groups, height, width)."""

    weights: Reals
    bias: Reals
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True)
class Matrix:
    """A linear map of all neurons, `weights` (outputs, inputs)."""

    weights: Reals
    bias: Reals


@dataclass(frozen=True)
class Gain:
    """Each channel or neuron times `gain` plus `offset`: batch norm with its statistics fixed."""

    gain: Reals
    offset: Reals


@dataclass(frozen=True)
class Flatten:
    """Channels, rows and columns become one axis."""


Step = Pool | Kernels | Matrix | Gain | Flatten
AS_IT_IS = Pool((1, 1), (1, 1))


@dataclass(frozen=True)
class Joined:
    """A projection in real numbers, the bias it brings each channel, and the shape it gives."""

    kind: Literal["conv", "dense", "sum_pool"]
    weights: Reals
    bias: Reals
    shape: Shape
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    kernel: Pair = (1, 1)

    def scaled(self, gain: float | Reals) -> "Joined":
        """Return it with all it brings times `gain`, one number or one for each channel."""
        factors = np.broadcast_to(gain, self.bias.shape)
        if self.kind == "sum_pool":
            if np.ptp(factors) == 0:
                return replace(self, weights=self.weights * factors[0])
            weights = np.full((len(factors), 1, *self.kernel), self.weights[0])
            return replace(self, kind="conv", weights=weights, groups=len(factors)).scaled(gain)
        weights = self.weights * factors.reshape(-1, *[1] * (self.weights.ndim - 1))
        return replace(self, weights=weights, bias=self.bias * factors)

    def synapses(self, name: str, source: str, target: str, delay: int = 0) -> Synapses:
        """Return it as a projection of a `Graph`."""
        return Synapses(
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
