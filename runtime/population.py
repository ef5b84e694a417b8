"""Population: neurons of one kind that share a shape."""

import math
import re
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import ValueEquality, as_int, as_readonly
from .errors import NetworkError

Kind = Literal["input", "cuba", "integrator", "delta", "sigma_delta", "rf", "rf_iz"]
Reset = Literal["zero", "value", "subtract", "delayed_subtract", "adaptive"]
Component = Literal["real", "imag"]
Parameter = Any  # an integer or array-like, stored as a read-only int32 array
NAME_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*\Z")
MAX_NEURONS = 1 << 26  # so that a file of a few bytes cannot claim gigabytes of states
# Register widths of Loihi's compartments, as Lava's LIF documents them.
LIMITS = {
    "current_decay": (0, 4096),
    "voltage_decay": (0, 4096),
    "threshold": (0, 131071),
    "bias": (-4096, 4095),
    "reset_value": (-131072, 131071),
    "min_voltage": (-131072, 0),
    "threshold_step": (0, 131071),
    "threshold_decay": (0, 4096),
    "refractory_decay": (0, 4096),
    "sin_decay": (0, 4095),
    "cos_decay": (0, 4095),
}
ALIGN_BITS = 6  # between weight units and those of the voltage
# Fields that files leave out where they have their default, so that digests stay as they were.
ADDED_FIELDS = (
    "reset",
    "reset_value",
    "refractory",
    "max_spikes",
    "min_voltage",
    "signed",
    "align_bits",
    "threshold_step",
    "threshold_decay",
    "refractory_decay",
    "sin_decay",
    "cos_decay",
)
MAX_REFRACTORY = 255
MAX_SPIKES = 255  # a message has 8 bits
MESSAGE_BITS = 24  # of the signed messages of delta and sigma_delta populations
ENCODERS = ("delta", "sigma_delta")
RESONATORS = ("rf", "rf_iz")
SPIKING = ("cuba", *RESONATORS)
MAX_VALUE_BITS = {
    "cuba": 8,
    **dict.fromkeys(("integrator", *RESONATORS), 1),
    **dict.fromkeys(("input", *ENCODERS), MESSAGE_BITS),
}


@dataclass(frozen=True, eq=False)
class Population(ValueEquality):
    """Neurons of one kind with their integer parameters.

    The parameters `current_decay`, `voltage_decay`, `threshold`, `bias`, `reset_value`,
    `min_voltage` and those of "adaptive" and resonate-and-fire neurons are a scalar, one value per
    channel `(channels,)`, or one value per neuron, of shape `shape`; they are stored as int32
    arrays that broadcast to `shape`.

    Attributes:
        name: Unique name.
        shape: `(neurons,)` or `(channels, height, width)`.
        kind: "input" for events from outside, "cuba" for spiking current-based LIF neurons, or
            "integrator", which never spikes and is read by its voltage. "delta" encodes the changes
            of its input as signed messages, and "sigma_delta" those of the rectified sum of all
            messages that it has received. "rf" and "rf_iz" are resonate-and-fire neurons, whose
            state and input are complex: they spike at a phase of 0, or at a threshold of the
            imaginary part, which resets them (Izhikevich).
        current_decay: Fraction of the current lost per timestep, in 1/4096.
        voltage_decay: Fraction of the voltage lost per timestep, in 1/4096.
        threshold: Firing threshold, in weight units.
        bias: Added to the voltage, shifted left by `bias_exponent`; 13 bits.
        bias_exponent: 0 to 7; 6 makes the unit of `bias` a weight unit.
        value_bits: Bits of a message: 1 for spikes, up to 8 for graded spikes, which carry the
            voltage, or the number of spikes (`max_spikes`), up to 24 for the values of an input;
            24 for "delta" and "sigma_delta".
        signed: Whether values of an input may be negative: one of its `value_bits` is the sign.
        align_bits: Bits that an activation is shifted left to become a current, 6, or for an
            integrator of sigma-delta messages 0.
        reset: What a spike does to the voltage: "zero" sets it to zero, "value" to `reset_value`;
            "subtract" subtracts `reset_value` (a soft reset), "delayed_subtract" does so in the
            next timestep, after the decay. "adaptive" keeps it: the spike raises the threshold,
            and a refractory value that the voltage has to exceed too (ALIF).
        reset_value: Voltage after a spike, or what a spike subtracts, in weight units.
        refractory: Timesteps after a spike in which the voltage is held and no spike is sent.
        max_spikes: Most spikes of a neuron in one timestep; above 1, a message carries their number
            and each subtracts `reset_value`.
        min_voltage: Lower bound of the voltage, in weight units.
        threshold_step: Raise of the threshold by a spike of an "adaptive" neuron, in weight units.
        threshold_decay: Fraction of the raise lost per timestep, in 1/4096.
        refractory_decay: Fraction of the refractory value lost per timestep, in 1/4096.
        sin_decay: Of resonate-and-fire neurons, (1 - decay) * sin(2 pi / period), in 1/4096.
        cos_decay: Likewise, (1 - decay) * cos(2 pi / period).

    Raises:
        NetworkError: A value is outside its register or a shape does not fit.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind = "cuba"
    current_decay: Parameter = 4096
    voltage_decay: Parameter = 0
    threshold: Parameter = 0
    bias: Parameter = 0
    bias_exponent: int = 6
    value_bits: int = 1
    reset: Reset = "zero"
    reset_value: Parameter = 0
    refractory: int = 0
    max_spikes: int = 1
    min_voltage: Parameter = LIMITS["min_voltage"][0]
    signed: bool = False
    align_bits: int = ALIGN_BITS
    threshold_step: Parameter = 0
    threshold_decay: Parameter = 4096
    refractory_decay: Parameter = 4096
    sin_decay: Parameter = 0
    cos_decay: Parameter = 0

    def __post_init__(self) -> None:
        validate_name("population", self.name)
        shape = tuple(as_int(size, f"{self.name}: a size in the shape") for size in self.shape)
        if len(shape) not in (1, 3) or min(shape) < 1:
            raise NetworkError(
                f"{self.name}: shape {shape} is not (neurons,) or (channels, height, width)"
            )
        if math.prod(shape) > MAX_NEURONS:
            raise NetworkError(
                f"{self.name}: has {math.prod(shape)} neurons, needs at most {MAX_NEURONS}"
            )
        if self.kind not in get_args(Kind):
            raise NetworkError(f"{self.name}: kind {self.kind!r} is none of {get_args(Kind)}")
        if self.reset not in get_args(Reset):
            raise NetworkError(f"{self.name}: reset {self.reset!r} is none of {get_args(Reset)}")
        for key, low, high in (
            ("bias_exponent", 0, 7),
            ("value_bits", 1, MAX_VALUE_BITS[self.kind]),
            ("align_bits", 0 if self.kind == "integrator" else ALIGN_BITS, ALIGN_BITS),
            ("refractory", 0, MAX_REFRACTORY if self.kind == "cuba" else 0),
            ("max_spikes", 1, MAX_SPIKES if self.kind == "cuba" else 1),
        ):
            value = as_int(getattr(self, key), f"{self.name}: {key}")
            _check_range(self.name, key, value, low, high)
            object.__setattr__(self, key, value)
        object.__setattr__(self, "shape", shape)
        for key in LIMITS:
            object.__setattr__(self, key, _parameter(self.name, key, getattr(self, key), shape))
        _check_reset(self)
        _check_messages(self)
        _check_resonator(self)
        if self.kind in ENCODERS:
            object.__setattr__(self, "value_bits", MESSAGE_BITS)
            object.__setattr__(self, "signed", True)
        if self.max_spikes > 1:
            object.__setattr__(self, "value_bits", self.max_spikes.bit_length())

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def max_value(self) -> int:
        """Largest value that a neuron sends in a timestep."""
        if self.max_spikes > 1:
            return self.max_spikes
        return int((1 << (self.value_bits - self.signed)) - 1)

    @property
    def min_value(self) -> int:
        """Lowest value that a neuron sends in a timestep: 0, or negative where they are signed."""
        return -self.max_value - 1 if self.signed else 0

    @property
    def value_type(self) -> type[np.integer[Any]]:
        """Type of the values that a neuron sends: uint8, or int32 if they are signed or wide."""
        return np.int32 if self.signed or self.value_bits > 8 else np.uint8

    @property
    def states(self) -> tuple[str, ...]:
        """Names of the states of a neuron, in the order of `arithmetic.neuron_step`."""
        if self.kind == "input":
            return ()
        if self.kind in RESONATORS:
            return ("real", "imag")
        if self.reset == "adaptive":
            return ("current", "voltage", "adaptation", "refractory")
        countdown = ("countdown",) if self.refractory else ()
        return ("current", "voltage", *countdown)

    @property
    def components(self) -> tuple[Component, ...]:
        """Parts of its input that projections add to: "real", and "imag" where it is complex."""
        return ("real", "imag") if self.kind in RESONATORS else ("real",)

    @property
    def bounded(self) -> bool:
        """True where `min_voltage` is above the lower end of the register."""
        return bool((self.min_voltage > LIMITS["min_voltage"][0]).any())


def _check_reset(population: Population) -> None:
    """Raise `NetworkError` where the fields of the reset contradict each other."""
    name, lowest = population.name, int(population.reset_value.min())
    if population.kind != "cuba" and population.reset != "zero":
        raise NetworkError(f"{name}: {population.kind} populations have no reset")
    if population.kind == "input" and population.bounded:
        raise NetworkError(f"{name}: input populations have no voltage, but a min_voltage")
    _check_adaptation(population)
    if population.reset == "zero" and population.reset_value.any():
        raise NetworkError(f'{name}: resets to zero, but has a reset_value; use reset="value"')
    subtracts = population.reset in ("subtract", "delayed_subtract")
    if subtracts and lowest < 1:
        raise NetworkError(f"{name}: subtracts a reset_value of {lowest}, needs 1 or more")
    if population.max_spikes > 1:
        if population.reset != "subtract":
            raise NetworkError(
                f"{name}: max_spikes {population.max_spikes} with reset {population.reset!r}, "
                'needs "subtract"'
            )
        if population.value_bits not in (1, population.max_spikes.bit_length()):
            raise NetworkError(
                f"{name}: messages of {population.value_bits} bits, but max_spikes "
                f"{population.max_spikes} needs {population.max_spikes.bit_length()}"
            )
    if population.reset == "delayed_subtract" and population.refractory:
        raise NetworkError(f"{name}: a refractory period needs a reset in the same timestep")


def _check_adaptation(population: Population) -> None:
    """Raise `NetworkError` where the fields of an adaptive threshold contradict others."""
    name = population.name
    if population.reset != "adaptive":
        decays = population.threshold_decay, population.refractory_decay
        if population.threshold_step.any() or any((decay != 4096).any() for decay in decays):
            raise NetworkError(
                f'{name}: has a threshold_step or its decays, which need reset="adaptive"'
            )
        return
    if population.reset_value.any() or population.refractory or population.value_bits > 1:
        raise NetworkError(
            f"{name}: an adaptive threshold takes binary spikes, no reset_value and no refractory "
            "period"
        )


def _check_messages(population: Population) -> None:
    """Raise `NetworkError` where the fields of signed or wide messages contradict the kind."""
    name, kind = population.name, population.kind
    if not isinstance(population.signed, bool | np.bool_):
        raise NetworkError(f"{name}: signed is {population.signed!r}, needs True or False")
    object.__setattr__(population, "signed", bool(population.signed))
    if population.signed and kind not in ("input", *ENCODERS):
        raise NetworkError(f"{name}: {kind} populations send no signed values")
    if population.signed and population.value_bits == 1 and kind == "input":
        raise NetworkError(f"{name}: signed values of 1 bit, needs 2 or more")
    if population.align_bits not in (0, ALIGN_BITS):
        raise NetworkError(f"{name}: align_bits is {population.align_bits}, needs 0 or 6")
    decays = (population.current_decay, 4096), (population.voltage_decay, 0)
    if (kind in ENCODERS or not population.align_bits) and any((d != v).any() for d, v in decays):
        what = f"{kind} populations have" if kind in ENCODERS else "align_bits 0 needs"
        raise NetworkError(f"{name}: {what} a current_decay of 4096 and a voltage_decay of 0")
    if (kind in ENCODERS or not population.align_bits) and population.bounded:
        raise NetworkError(f"{name}: {kind} populations of messages have no min_voltage")
    if kind == "delta" and population.bias.any():
        raise NetworkError(f"{name}: delta populations have no bias")


def _check_resonator(population: Population) -> None:
    """Raise `NetworkError` where fields of resonate-and-fire neurons contradict the kind."""
    name, kind = population.name, population.kind
    if kind not in RESONATORS:
        if population.sin_decay.any() or population.cos_decay.any():
            raise NetworkError(f"{name}: {kind} populations have no sin_decay and no cos_decay")
        return
    decays = (population.current_decay, 4096), (population.voltage_decay, 0)
    if any((decay != default).any() for decay, default in decays):
        raise NetworkError(
            f"{name}: {kind} populations have a sin_decay and a cos_decay, no current_decay and no "
            "voltage_decay"
        )
    if population.bias.any() or population.bounded:
        raise NetworkError(f"{name}: {kind} populations have no bias and no min_voltage")


def validate_name(what: str, name: Any) -> None:
    """Raise `NetworkError` where `name` is not letters, digits, `_`, `.` and `-`."""
    if not (isinstance(name, str) and NAME_PATTERN.match(name)):
        raise NetworkError(f"{what} {name!r}: a name is letters, digits, _ . and -")


def default_fields(population: Population) -> list[str]:
    """List those of `ADDED_FIELDS` that have their default."""
    defaults: dict[str, Any] = {f.name: f.default for f in fields(Population)}
    return [n for n in ADDED_FIELDS if np.array_equal(getattr(population, n), defaults[n])]


def _check_range(name: str, key: str, value: Any, low: int, high: int) -> None:
    if not low <= value <= high:
        raise NetworkError(f"{name}: {key} is {value}, needs {low} to {high}")


def _parameter(name: str, key: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.int32]:
    array = as_readonly(values, np.int32, f"{name}.{key}")
    if len(shape) == 3 and array.shape == shape[:1]:
        array = array.reshape(-1, 1, 1)
    if array.shape not in ((), shape, (shape[0],) + (1,) * (len(shape) - 1)):
        raise NetworkError(
            f"{name}: {key} has shape {array.shape}, needs one value, {shape[:1]} or {shape}"
        )
    _check_range(name, key, int(array.min()), *LIMITS[key])
    _check_range(name, key, int(array.max()), *LIMITS[key])
    return array
