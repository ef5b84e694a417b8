"""The steps that may lie between two populations, in real numbers, and what they come to.

All of them are linear. Weights and biases are float64.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..runtime.errors import NetworkError
from .graph import Neurons, Synapses

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


@dataclass(frozen=True)
class Rule:
    """What neurons do: `gain` of what arrives, `bias`, `threshold`, shares lost a step.

    Each is an array of one value, one a channel, or one a neuron, equal within a channel.
    """

    gain: Reals
    bias: Reals
    threshold: Reals
    current_decay: Reals
    voltage_decay: Reals
    spikes: bool = True

    def neurons(self, name: str, maps: list[Joined]) -> tuple[Neurons, list[Joined]]:
        """Return the population that `maps` reach, and the maps as they reach it.

        Where thresholds differ, all is in units of them. Raises `NetworkError` where parameters
        differ within a channel, or a bias would have to pass through the current first.
        """
        shape = maps[0].shape
        level = self.threshold if np.ptp(self.threshold) > 0 else np.ones(1)
        current_decay = _by_channel(self.current_decay, shape, f"{name}: current_decay")
        if np.any(current_decay < 1) and any(np.any(value.bias) for value in maps):
            raise NetworkError(
                f"{name}: filters the bias before it through its current, where the chip adds a "
                "bias to the voltage; leave out bias and batch norm there"
            )
        gain = _by_channel(self.gain / level, shape, f"{name}: gain")
        scaled = [value.scaled(gain) for value in maps]
        bias = sum(
            (value.bias for value in scaled),
            _by_channel(self.bias / level, shape, f"{name}: bias"),
        )
        population = Neurons(
            name,
            shape,
            np.broadcast_to(bias, shape[:1]).astype(np.float32),
            float((self.threshold / level).flat[0]) if self.spikes else 0.0,
            _number(current_decay),
            _number(_by_channel(self.voltage_decay, shape, f"{name}: voltage_decay")),
            self.spikes,
        )
        return population, scaled


def _number(values: Reals) -> float | Reals:
    return float(values[0]) if values.size == 1 else values


def _by_channel(values: Reals, shape: Shape, who: str) -> Reals:
    """Return one of `values`, or one a channel."""
    if np.ptp(values) == 0:
        return values.reshape(-1)[:1]
    if values.size not in (shape[0], np.prod(shape)):
        raise NetworkError(f"{who} has {values.size} values, needs one or one a channel of {shape}")
    channels = values.reshape(shape[0], -1)
    if np.ptp(channels, axis=1).any():
        raise NetworkError(f"{who} differs within a channel of {shape}")
    return channels[:, 0]
