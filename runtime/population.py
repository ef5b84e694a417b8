"""Population: neurons of one kind that share a shape."""

import math
import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import ValueEquality, as_int, as_readonly
from .errors import NetworkError

Kind = Literal["input", "cuba", "integrator"]
Parameter = Any  # an integer or array-like, stored as a read-only int32 array
NAME_PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*\Z")
MAX_NEURONS = 1 << 26  # so that a file of a few bytes cannot claim gigabytes of states
# Register widths of Loihi's compartments, as Lava's LIF documents them.
LIMITS = {
    "current_decay": (0, 4096),
    "voltage_decay": (0, 4096),
    "threshold": (0, 131071),
    "bias": (-4096, 4095),
}


@dataclass(frozen=True, eq=False)
class Population(ValueEquality):
    """Neurons of one kind with their integer parameters.

    The parameters `current_decay`, `voltage_decay`, `threshold` and `bias` are a scalar, one value
    per channel `(channels,)`, or one value per neuron, of shape `shape`; they are stored as int32
    arrays that broadcast to `shape`.

    Attributes:
        name: Unique name.
        shape: `(neurons,)` or `(channels, height, width)`.
        kind: "input" for events from outside, "cuba" for spiking current-based LIF neurons, or
            "integrator", which never spikes and is read by its voltage.
        current_decay: Fraction of the current lost per timestep, in 1/4096.
        voltage_decay: Fraction of the voltage lost per timestep, in 1/4096.
        threshold: Firing threshold, in weight units.
        bias: Added to the voltage, shifted left by `bias_exponent`; 13 bits.
        bias_exponent: 0 to 7; 6 makes the unit of `bias` a weight unit.
        value_bits: Bits of a message: 1 for spikes, up to 8 for the graded values of an input, or
            for graded spikes, which carry the voltage.

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
        for key, low, high in (
            ("bias_exponent", 0, 7),
            ("value_bits", 1, 1 if self.kind == "integrator" else 8),
        ):
            value = as_int(getattr(self, key), f"{self.name}: {key}")
            _check_range(self.name, key, value, low, high)
            object.__setattr__(self, key, value)
        object.__setattr__(self, "shape", shape)
        for key in LIMITS:
            object.__setattr__(self, key, _parameter(self.name, key, getattr(self, key), shape))

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def max_value(self) -> int:
        """Largest value that a neuron sends in a timestep."""
        return int((1 << self.value_bits) - 1)


def validate_name(what: str, name: Any) -> None:
    """Raise `NetworkError` where `name` is not letters, digits, `_`, `.` and `-`."""
    if not (isinstance(name, str) and NAME_PATTERN.match(name)):
        raise NetworkError(f"{what} {name!r}: a name is letters, digits, _ . and -")


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
