"""Neuron parameters of other libraries as a float population that fires above its threshold.

Some libraries fire at the threshold, the chip above it. In floats a sum hardly ever equals its
threshold. Without leak, and with weights that are small multiples of one number, it often does, and
after quantization chance would decide: there the threshold is moved midway between the sums that
can occur.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike

from ...runtime.errors import NetworkError
from ...runtime.population import Reset
from .float_network import FloatPopulation
from .fuse import fuse_linear_ops
from .linear_ops import Float64Array, FusedLinear, Op, Shape

MAX_GRID_STEPS = 127
GRID_TOLERANCE = 1e-4  # of a step; float32 is off by at most 1e-5 of it
SAMPLE_SIZE = 1000


@dataclass(frozen=True)
class NeuronParams:
    """Parameters of a population as its library defines them.

    Each array has one value, one per channel, or one per neuron that is equal within a channel.

    Attributes:
        gain: Factor of the input.
        bias: Bias of the neurons, added to that of the layer before.
        threshold: Firing threshold.
        current_decay: Fraction of the current lost per timestep, 0 to 1.
        voltage_decay: Fraction of the voltage lost per timestep, 0 to 1.
        spiking: False for an integrator.
        inclusive: True where the neurons fire at the threshold too.
        delay: Timesteps by which the input of the neurons is late.
        reset: What a spike does to the voltage, as in `Population`.
        reset_value: Voltage after a spike, or what it subtracts.
        refractory: Timesteps after a spike in which the voltage is held.
        max_spikes: Most spikes of a neuron in one timestep.
        min_voltage: Lower bound of the voltage.
        recurrent: What carries their spikes back to them, one timestep later.
        input: Layer between what they get and the input that `gain` multiplies.
        late_input: Input from the second timestep on, after the gain.
        late_bias: Bias of the voltage from the second timestep on.
        doubling: True where the threshold is doubled in a timestep that starts above it: after
            one spike of two, with reset="subtract" and `max_spikes` 1.
    """

    gain: Float64Array
    bias: Float64Array
    threshold: Float64Array
    current_decay: Float64Array
    voltage_decay: Float64Array
    spiking: bool = True
    inclusive: bool = False
    delay: int = 0
    reset: Reset = "zero"
    reset_value: Float64Array = field(default_factory=lambda: np.zeros(1))
    refractory: int = 0
    max_spikes: int = 1
    min_voltage: Float64Array = field(default_factory=lambda: np.full(1, -np.inf))
    recurrent: Op | None = None
    input: Op | None = None
    late_input: Float64Array = field(default_factory=lambda: np.zeros(1))
    late_bias: Float64Array = field(default_factory=lambda: np.zeros(1))
    doubling: bool = False

    def fuse_recurrent(self, name: str, shape: Shape) -> list[FusedLinear]:
        """Fuse what carries spikes back, for neurons of `shape`; empty where there is none.

        Raises:
            NetworkError: It gives another shape.
        """
        if self.recurrent is None:
            return []
        fused = fuse_linear_ops([(f"{name}.recurrent", self.recurrent)], shape)
        if int(np.prod(fused.shape)) != int(np.prod(shape)):
            raise NetworkError(f"{name}: its recurrent layer gives {fused.shape}, needs {shape}")
        return [fused]

    @property
    def unit(self) -> Float64Array:
        """Divisor of all parameters: the thresholds where they differ, else 1."""
        return self.threshold if np.ptp(self.threshold) > 0 else np.ones(1)

    def to_population(
        self, name: str, incoming: list[FusedLinear], others: Sequence[Float64Array] = ()
    ) -> tuple[FloatPopulation, list[FusedLinear]]:
        """Build the population that `incoming` projects to.

        Where thresholds differ, all parameters are divided by them.

        Args:
            name: Name of the population.
            incoming: The fused projections into it, of one output shape.
            others: Weights of other projections into it, already in its units.

        Returns:
            The population, and the projections scaled for it.

        Raises:
            NetworkError: Parameters differ within a channel, or a bias would be filtered by the
                current.
        """
        shape = incoming[0].shape
        unit = self.unit
        current_decay = reduce_to_channels(self.current_decay, shape, f"{name}: current_decay")
        if np.any(current_decay < 1) and any(np.any(each.bias) for each in incoming):
            raise NetworkError(
                f"{name}: filters the bias before it through its current, but the chip adds a "
                "bias to the voltage; leave out bias and batch norm there"
            )
        gain = reduce_to_channels(self.gain / unit, shape, f"{name}: gain")
        scaled = [each.scale_by(gain) for each in incoming]
        bias = sum(
            (each.bias for each in scaled),
            reduce_to_channels(self.bias / unit, shape, f"{name}: bias"),
        )
        voltage_decay = reduce_to_channels(self.voltage_decay, shape, f"{name}: voltage_decay")
        threshold = float((self.threshold / unit).flat[0])
        reset_value = reduce_to_channels(self.reset_value / unit, shape, f"{name}: reset_value")
        lowest = reduce_to_channels(self.min_voltage / unit, shape, f"{name}: min_voltage")
        if np.all(current_decay == 1) and not np.any(voltage_decay):
            bounds = lowest[np.isfinite(lowest)]
            sums = bias, reset_value, bounds, *others, *(each.weights for each in scaled)
            step = common_divisor(sums)
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
            reset=self.reset,
            reset_value=_to_scalar(reset_value),
            refractory=self.refractory,
            max_spikes=self.max_spikes,
            min_voltage=_to_scalar(lowest),
        )
        return population, scaled


class ResetRule(TypedDict, total=False):
    """Reset by a spike, as fields of `NeuronParams`."""

    reset: Reset
    reset_value: ArrayLike
    refractory: int
    max_spikes: int
    min_voltage: ArrayLike
    recurrent: Op | None
    input: Op | None
    late_input: ArrayLike
    late_bias: ArrayLike
    doubling: bool


ARRAYS = ("reset_value", "min_voltage", "late_input", "late_bias")


def make_neuron_params(
    threshold: ArrayLike = 1.0,
    current_decay: ArrayLike = 1.0,
    voltage_decay: ArrayLike = 0.0,
    gain: ArrayLike = 1.0,
    spiking: bool = True,
    inclusive: bool = False,
    delay: int = 0,
    **rule: Unpack[ResetRule],
) -> NeuronParams:
    """Make neuron parameters without a bias from numbers or arrays; see `NeuronParams`."""

    def as_array(value: ArrayLike) -> Float64Array:
        return np.atleast_1d(np.asarray(value, np.float64))

    values: dict[str, Any] = {
        key: as_array(np.asarray(value)) if key in ARRAYS else value for key, value in rule.items()
    }
    return NeuronParams(
        as_array(gain),
        np.zeros(1),
        as_array(threshold),
        as_array(current_decay),
        as_array(voltage_decay),
        spiking,
        inclusive,
        delay,
        **values,
    )


def common_divisor(arrays: Sequence[Float64Array]) -> float:
    """Largest number of which all values of `arrays` are multiples, zero where there is none.

    Candidates are the largest magnitude divided by 1 to 127, the levels of eight bits.
    """
    peak = max(float(np.abs(array).max(initial=0)) for array in arrays)
    if peak == 0:
        return 0.0
    for parts in range(1, MAX_GRID_STEPS + 1):
        multiples = (array.reshape(-1) * (parts / peak) for array in arrays)
        if all(_is_integer_valued(v[:SAMPLE_SIZE]) and _is_integer_valued(v) for v in multiples):
            return peak / parts
    return 0.0


def _is_integer_valued(values: Float64Array) -> bool:
    return bool(np.abs(values - np.rint(values)).max(initial=0) < GRID_TOLERANCE)


def midpoint_threshold(threshold: float, step: float, inclusive: bool) -> float:
    """Threshold midway between two multiples of `step`, so that quantization does not cross one.

    Multiples of `step` exceed it exactly where they exceed `threshold`, or, with `inclusive`, where
    they reach it.
    """
    if step == 0:
        return next_below(threshold) if inclusive else threshold
    multiple = threshold / step
    reached = abs(multiple - round(multiple)) < GRID_TOLERANCE
    last = round(multiple) - int(inclusive) if reached else math.floor(multiple)
    return (last + 0.5) * step


def next_below(threshold: float) -> float:
    """Next smaller float32."""
    return float(np.nextafter(np.float32(threshold), np.float32(-np.inf)))


def _to_scalar(values: Float64Array) -> float | Float64Array:
    return float(values[0]) if values.size == 1 else values


def reduce_to_channels(values: Float64Array, shape: Shape, who: str) -> Float64Array:
    """One of `values` where all are equal, else one per channel.

    Raises:
        NetworkError: They differ within a channel, or are of another number; names `who`.
    """
    if (values == values.flat[0]).all():
        return values.reshape(-1)[:1]
    if values.size not in (shape[0], np.prod(shape)):
        raise NetworkError(
            f"{who} has {values.size} values, needs one or one per channel of {shape}"
        )
    channels = values.reshape(shape[0], -1)
    if np.ptp(channels, axis=1).any():
        raise NetworkError(f"{who} differs within a channel of {shape}")
    return channels[:, 0]
