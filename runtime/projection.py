"""Projection: a connection between two named populations, with exponent and delay."""

from dataclasses import dataclass
from typing import get_args

from .arrays import ValueEquality, as_int
from .connections import Connection
from .errors import NetworkError
from .population import Component, validate_name

EXPONENT_RANGE = (-8, 7)
MAX_DELAY = 62


@dataclass(frozen=True, eq=False)
class Projection(ValueEquality):
    """Connection from `source` to `target`: spikes add `weights * 2^weight_exponent`.

    Attributes:
        name: Unique name.
        source: Name of the presynaptic population.
        target: Name of the postsynaptic population.
        connection: Weights and geometry.
        weight_exponent: -8 to 7.
        delay: Timesteps, 0 to 62. A delay of 0 arrives in the same (layer-synchronous) timestep;
            recurrence needs 1 or more.
        component: What it adds to, where the target is complex (resonate-and-fire neurons): its
            "real" or its "imag" input. The real one of all others.

    Raises:
        NetworkError: A name, exponent, delay or component is invalid.
    """

    name: str
    source: str
    target: str
    connection: Connection
    weight_exponent: int = 0
    delay: int = 0
    component: Component = "real"

    def __post_init__(self) -> None:
        validate_name("projection", self.name)
        for key in ("weight_exponent", "delay"):
            value = as_int(getattr(self, key), f"{self.name}: {key}")
            object.__setattr__(self, key, value)
        if not EXPONENT_RANGE[0] <= self.weight_exponent <= EXPONENT_RANGE[1]:
            raise NetworkError(
                f"{self.name}: weight_exponent is {self.weight_exponent}, needs -8 to 7"
            )
        if not 0 <= self.delay <= MAX_DELAY:
            raise NetworkError(f"{self.name}: delay is {self.delay} steps, needs 0 to 62")
        if self.component not in get_args(Component):
            raise NetworkError(
                f"{self.name}: component {self.component!r} is none of {get_args(Component)}"
            )
