"""What neurons do in real numbers, told as the chip does it: firing above a threshold, not at it.

In real numbers a sum hardly ever meets its threshold. Without leak, and with weights that are few
whole multiples of one number, it often does, and after rounding to integers chance would decide: so
there the threshold is put midway between the sums that can occur.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...runtime.errors import NetworkError
from .float_network import FloatPopulation
from .linear_ops import Float64Array, FusedLinear, Shape

MAX_GRID_STEPS = 127
GRID_TOLERANCE = 1e-4  # of a step; float32 is off by 1e-5 of it at the most
SAMPLE_SIZE = 1000


@dataclass(frozen=True)
class NeuronParams:
    """What neurons do: `gain` of what arrives, `bias`, `threshold`, shares lost a step.

    Each is an array of one value, one a channel, or one a neuron, equal within a channel. With
    `inclusive`, they fire at the threshold too.
    """

    gain: Float64Array
    bias: Float64Array
    threshold: Float64Array
    current_decay: Float64Array
    voltage_decay: Float64Array
    spiking: bool = True
    inclusive: bool = False

    def to_population(
        self, name: str, maps: list[FusedLinear]
    ) -> tuple[FloatPopulation, list[FusedLinear]]:
        """Return the population that `maps` reach, and the maps as they reach it.

        Where thresholds differ, all is in units of them. Raises `NetworkError` where parameters
        differ within a channel, or a bias would have to pass through the current first.
        """
        shape = maps[0].shape
        level = self.threshold if np.ptp(self.threshold) > 0 else np.ones(1)
        current_decay = _reduce_to_channels(self.current_decay, shape, f"{name}: current_decay")
        if np.any(current_decay < 1) and any(np.any(value.bias) for value in maps):
            raise NetworkError(
                f"{name}: filters the bias before it through its current, where the chip adds a "
                "bias to the voltage; leave out bias and batch norm there"
            )
        gain = _reduce_to_channels(self.gain / level, shape, f"{name}: gain")
        scaled = [value.scale_by(gain) for value in maps]
        bias = sum(
            (value.bias for value in scaled),
            _reduce_to_channels(self.bias / level, shape, f"{name}: bias"),
        )
        voltage_decay = _reduce_to_channels(self.voltage_decay, shape, f"{name}: voltage_decay")
        threshold = float((self.threshold / level).flat[0])
        if np.all(current_decay == 1) and not np.any(voltage_decay):
            step = common_divisor([bias, *(value.weights for value in scaled)])
            threshold = midpoint_threshold(threshold, step, self.inclusive)
        elif self.inclusive:
            threshold = next_below(threshold)
        population = FloatPopulation(
            name,
            shape,
            np.broadcast_to(bias, shape[:1]).astype(np.float32),
            threshold if self.spiking else 0.0,
            _to_scalar(current_decay),
            _to_scalar(voltage_decay),
            self.spiking,
        )
        return population, scaled


def make_neuron_params(
    threshold: ArrayLike = 1.0,
    current_decay: ArrayLike = 1.0,
    voltage_decay: ArrayLike = 0.0,
    gain: ArrayLike = 1.0,
    spiking: bool = True,
    inclusive: bool = False,
) -> NeuronParams:
    """Neuron parameters without a bias of their own, from numbers or arrays."""

    def as_array(value: ArrayLike) -> Float64Array:
        return np.atleast_1d(np.asarray(value, np.float64))

    decays = as_array(current_decay), as_array(voltage_decay)
    return NeuronParams(
        as_array(gain), np.zeros(1), as_array(threshold), *decays, spiking, inclusive
    )


def common_divisor(arrays: Sequence[Float64Array]) -> float:
    """Return the largest number that all of `arrays` hold multiples of, zero where there is none.

    Looked for are the largest magnitude's 127 fractions, as many as eight bits tell apart.
    """
    peak = max(float(np.abs(array).max()) for array in arrays)
    if peak == 0:
        return 0.0
    for parts in range(1, MAX_GRID_STEPS + 1):
        multiples = (array.reshape(-1) * (parts / peak) for array in arrays)
        if all(
            _is_integer_valued(values[:SAMPLE_SIZE]) and _is_integer_valued(values)
            for values in multiples
        ):
            return peak / parts
    return 0.0


def _is_integer_valued(values: Float64Array) -> bool:
    return bool(np.abs(values - np.rint(values)).max() < GRID_TOLERANCE)


def midpoint_threshold(threshold: float, step: float, inclusive: bool) -> float:
    """Return what multiples of `step` exceed just where they meet or exceed `threshold`.

    It stands midway between two multiples, so that rounding to integers does not move it over one.
    """
    if step == 0:
        return next_below(threshold) if inclusive else threshold
    multiple = threshold / step
    met = abs(multiple - round(multiple)) < GRID_TOLERANCE
    last = round(multiple) - int(inclusive) if met else math.floor(multiple)
    return (last + 0.5) * step


def next_below(threshold: float) -> float:
    """Return the next smaller float32."""
    return float(np.nextafter(np.float32(threshold), np.float32(-np.inf)))


def _to_scalar(values: Float64Array) -> float | Float64Array:
    return float(values[0]) if values.size == 1 else values


def _reduce_to_channels(values: Float64Array, shape: Shape, who: str) -> Float64Array:
    """Return one of `values`, or one a channel."""
    if np.ptp(values) == 0:
        return values.reshape(-1)[:1]
    if values.size not in (shape[0], np.prod(shape)):
        raise NetworkError(f"{who} has {values.size} values, needs one or one a channel of {shape}")
    channels = values.reshape(shape[0], -1)
    if np.ptp(channels, axis=1).any():
        raise NetworkError(f"{who} differs within a channel of {shape}")
    return channels[:, 0]
