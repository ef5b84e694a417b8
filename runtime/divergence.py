"""Where two runs first differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import EngineError
from .network import Network
from .population import Population
from .trace import Trace


@dataclass(frozen=True)
class Divergence:
    """The first value in which an engine differs from the reference.

    First by timestep, then in topological order of the populations, then by sample and neuron
    (counted in C order). `quantity` is "spike", "current" or
    "voltage" (after the step), "count" (after all) or
    "exit" (after how many steps the sample stopped).
    """

    engine: str
    timestep: int
    sample: int
    population: str
    neuron: int
    quantity: str
    expected: int
    actual: int

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"{self.engine}: step {self.timestep}, sample {self.sample}, "
            f"{self.population}[{self.neuron}]: {self.quantity} is {self.actual}, "
            f"needs {self.expected}"
        )


def first_divergence(
    network: Network, expected: Trace, found: Trace, engine: str
) -> Divergence | None:
    """Return where `found` first differs from `expected`, or None; both recorded with "all".

    Raises `EngineError` where `found` lacks an array or has one of another shape.
    """
    divergences = [
        _first_difference(population.name, quantity, left, right, engine, expected.timesteps)
        for population, quantity, left, right in _iter_pairs(network, expected, found)
        if not np.array_equal(left, right)
    ]
    if not (divergences or np.array_equal(expected.steps, found.steps)):
        sample = int(np.flatnonzero(expected.steps != found.steps)[0])
        left, right = int(expected.steps[sample]), int(found.steps[sample])
        step = min(left, right) - 1
        return Divergence(engine, step, sample, network.output, 0, "exit", left, right)
    # `min` keeps the first of equals, and the pairs come in topological order.
    return min(divergences, key=lambda d: (d.timestep, d.quantity == "count"), default=None)


def _first_difference(
    population: str,
    quantity: str,
    left: NDArray[Any],
    right: NDArray[Any],
    engine: str,
    timesteps: int,
) -> Divergence:
    at = np.unravel_index(np.flatnonzero(left != right)[0], left.shape)
    timestep = timesteps - 1 if quantity == "count" else int(at[0])
    sample, neuron = int(at[-2]), int(at[-1])
    values = int(left[at]), int(right[at])
    return Divergence(engine, timestep, sample, population, neuron, quantity, *values)


def _iter_pairs(
    network: Network, expected: Trace, found: Trace
) -> Iterator[tuple[Population, str, NDArray[Any], NDArray[Any]]]:
    """Yield what is to be equal, as (..., samples, neurons), in topological order."""
    for population in (*network.inputs, *network.topological_order):
        for quantity, lefts, rights in (
            ("spike", expected.spikes, found.spikes),
            ("current", expected.currents, found.currents),
            ("voltage", expected.voltages, found.voltages),
            ("count", expected.counts, found.counts),
        ):
            if population.name in lefts:
                left, right = lefts[population.name], rights.get(population.name)
                if right is None or right.shape != left.shape:
                    has = "no" if right is None else right.shape
                    raise EngineError(f"{population.name}: {has} {quantity}s, needs {left.shape}")
                flat = (*left.shape[: left.ndim - len(population.shape)], population.neurons)
                yield population, quantity, left.reshape(flat), right.reshape(flat)
