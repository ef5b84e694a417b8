"""Program: a network placed on the cores of a target."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from .arrays import as_int, init_values, rebuild
from .errors import NetworkError
from .network import Network
from .text_table import TextTable, count_of


@dataclass(frozen=True)
class Slice:
    """Slice of a population: along each axis of its shape, from `start` to `stop` (exclusive)."""

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
        """Size along each axis."""
        return tuple(high - low for low, high in zip(self.start, self.stop, strict=True))

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def index(self) -> tuple[slice, ...]:
        """Index that selects its neurons in an array of the population's shape."""
        return tuple(map(slice, self.start, self.stop))


@dataclass(frozen=True)
class Core:
    """Core in use.

    Attributes:
        chip: Index of the chip, from 0.
        number: Index of the core on the chip, from 0.
        x: Column of its tile in the mesh.
        y: Row of its tile in the mesh.
        slices: Slices of populations on the core.
        usage: Amount taken of each limited resource, such as `neurons` or `synapse_words`.
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


@dataclass(frozen=True, eq=False, repr=False)
class Program:
    """Network placed on the cores of a target. Input populations are on no core.

    Attributes:
        network: The network.
        target: Name of the target.
        limits: Amount of each resource that a core has.
        cores: Cores in use.

    Raises:
        NetworkError: A neuron is on no core or on two, a core is listed twice, or a core exceeds a
            limit.
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

    def __repr__(self) -> str:
        """Describe in one line."""
        neurons = sum(population.neurons for population in self.network.topological_order)
        return (
            f"Program({self.target}: {count_of(neurons, 'neuron')} on "
            f"{count_of(len(self.cores), 'core')}, {count_of(self.chips, 'chip')})"
        )

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def summary(self) -> TextTable:
        """Summarize the placement: slices and cores by population; prints as a table."""
        from .summary import summarize_program

        return summarize_program(self)

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
        """Number of chips in use."""
        return len({core.chip for core in self.cores})

    def slices(self, population: str = "") -> Iterator[tuple[int, Slice]]:
        """Iterate over (core index, slice), of one population or of all."""
        for index, core in enumerate(self.cores):
            for part in core.slices:
                if population in ("", part.population):
                    yield index, part


def _comparison_key(program: Program) -> tuple[Any, ...]:
    return program.network, program.target, program.limits, program.cores


def _check_neurons(program: Program) -> None:
    placed = {p.name: np.zeros(p.shape, bool) for p in program.network.topological_order}
    for _, part in program.slices():
        if part.population not in placed:
            raise NetworkError(f"{part.population}: is no population that a core can hold")
        mask = placed[part.population]
        if len(part.stop) != mask.ndim or any(
            high > size for high, size in zip(part.stop, mask.shape, strict=True)
        ):
            raise NetworkError(
                f"{part.population}: a slice up to {part.stop}, but its shape is {mask.shape}"
            )
        if mask[part.index].any():
            raise NetworkError(f"{part.population}: neurons from {part.start} are on two cores")
        mask[part.index] = True
    for name, mask in placed.items():
        if not mask.all():
            missing = mask.size - int(mask.sum())
            raise NetworkError(f"{name}: {missing} of {mask.size} neurons are on no core")


def _check_cores(program: Program) -> None:
    seen = set()
    for core in program.cores:
        who = f"chip {core.chip}, core {core.number}"
        if (core.chip, core.number) in seen:
            raise NetworkError(f"{who}: is listed twice")
        seen.add((core.chip, core.number))
        for key, limit in program.limits.items():
            taken = core.usage.get(key, 0)
            if taken > limit:
                raise NetworkError(f"{who}: takes {taken} {key}, {program.target} has {limit}")
