"""The program: a network, and which core of a target holds which of its neurons."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from .arrays import as_int, init_values, rebuild
from .errors import NetworkError
from .network import Network


@dataclass(frozen=True)
class Slice:
    """Neurons of one population: along each axis of its shape, from `start` up to before `stop`."""

    population: str
    start: tuple[int, ...]
    stop: tuple[int, ...]

    def __post_init__(self) -> None:
        for key in ("start", "stop"):
            values = tuple(as_int(v, f"{self.population}: {key}") for v in getattr(self, key))
            object.__setattr__(self, key, values)
        if len(self.start) != len(self.stop) or not all(
            0 <= low < high for low, high in zip(self.start, self.stop, strict=True)
        ):
            raise NetworkError(
                f"{self.population}: a slice from {self.start} to {self.stop} holds no neurons"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """How many places it has along each axis."""
        return tuple(high - low for low, high in zip(self.start, self.stop, strict=True))

    @property
    def neurons(self) -> int:
        """How many neurons it holds."""
        return math.prod(self.shape)

    @property
    def index(self) -> tuple[slice, ...]:
        """What selects its neurons in an array of the population's shape."""
        return tuple(map(slice, self.start, self.stop))


@dataclass(frozen=True)
class Core:
    """A core in use: the chip and the tile (x, y) it is on, its slices and what they take.

    `chip` and `number` (on the chip) count from 0. `usage` names what a core has too little of,
    such as `neurons` or `synapse_words`, and how much of it is taken.
    """

    chip: int
    number: int
    x: int
    y: int
    slices: tuple[Slice, ...]
    usage: Mapping[str, int]

    def __post_init__(self) -> None:
        for key in ("chip", "number", "x", "y"):
            value = as_int(getattr(self, key), f"core: {key}")
            if value < 0:
                raise NetworkError(f"core: {key} is {value}, needs 0 or more")
            object.__setattr__(self, key, value)
        usage = {k: as_int(v, f"core {self.number}: {k}") for k, v in self.usage.items()}
        object.__setattr__(self, "usage", MappingProxyType(usage))
        object.__setattr__(self, "slices", tuple(self.slices))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle through the constructor."""
        return rebuild, (type(self), init_values(self))


@dataclass(frozen=True, eq=False)
class Program:
    """A network on the cores of a `target`, which gives each core the same `limits`.

    Input populations stand outside and are on no core. Raises `NetworkError` where a neuron is on
    no core or on two, two cores are one, or a core takes more of something than `limits` gives.
    """

    network: Network
    target: str
    limits: Mapping[str, int]
    cores: tuple[Core, ...]

    def __post_init__(self) -> None:
        limits = {k: as_int(v, f"{self.target}: limit {k}") for k, v in self.limits.items()}
        object.__setattr__(self, "limits", MappingProxyType(limits))
        object.__setattr__(self, "cores", tuple(self.cores))
        _check_neurons(self)
        _check_cores(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Program):
            return NotImplemented
        return _comparison_key(self) == _comparison_key(other)

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle through the constructor."""
        return rebuild, (type(self), init_values(self))

    __hash__ = None  # type: ignore[assignment]

    @property
    def chips(self) -> int:
        """On how many chips it stands."""
        return len({core.chip for core in self.cores})

    def slices(self, population: str = "") -> Iterator[tuple[int, Slice]]:
        """Yield the slices of one population, or of all, each after the index of its core."""
        for index, core in enumerate(self.cores):
            for part in core.slices:
                if population in ("", part.population):
                    yield index, part


def _comparison_key(program: Program) -> tuple[Any, ...]:
    return program.network, program.target, program.limits, program.cores


def _check_neurons(program: Program) -> None:
    held = {p.name: np.zeros(p.shape, np.uint8) for p in program.network.topological_order}
    for _, part in program.slices():
        if part.population not in held:
            raise NetworkError(f"{part.population}: no population that a core could hold")
        places = held[part.population]
        if len(part.stop) != places.ndim or any(
            high > size for high, size in zip(part.stop, places.shape, strict=True)
        ):
            raise NetworkError(
                f"{part.population}: a slice up to {part.stop}, but its shape is {places.shape}"
            )
        if places[part.index].any():
            raise NetworkError(f"{part.population}: neurons from {part.start} are on two cores")
        places[part.index] = 1
    for name, places in held.items():
        if not places.all():
            missing = places.size - int(places.sum())
            raise NetworkError(f"{name}: {missing} of {places.size} neurons are on no core")


def _check_cores(program: Program) -> None:
    seen = set()
    for core in program.cores:
        who = f"chip {core.chip}, core {core.number}"
        if (core.chip, core.number) in seen:
            raise NetworkError(f"{who}: stands twice")
        seen.add((core.chip, core.number))
        for key, limit in program.limits.items():
            taken = core.usage.get(key, 0)
            if taken > limit:
                raise NetworkError(f"{who}: takes {taken} {key}, {program.target} has {limit}")
