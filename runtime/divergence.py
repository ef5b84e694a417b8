"""First divergence between the traces of two engines."""

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
    """First value in which an engine differs from the reference.

    First by timestep, then in topological order of the populations, then by sample and neuron (in C
    order).

    Attributes:
        engine: Name of the engine.
        timestep: Index of the timestep, from 0.
        sample: Index of the sample.
        population: Name of the population.
        neuron: Index of the neuron.
        quantity: "spike", "current" or "voltage" (after the timestep), "count" (after the run) or
            "exit" (number of timesteps that the sample ran).
        expected: Value of the reference.
        actual: Value of the engine.
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
        """Format in one line."""
        return (
            f"{self.engine}: step {self.timestep}, sample {self.sample}, "
            f"{self.population}[{self.neuron}]: {self.quantity} is {self.actual}, "
            f"needs {self.expected}"
        )


def first_divergence(
    network: Network, expected: Trace, actual: Trace, engine: str
) -> Divergence | None:
    """Find the first value of `actual` that differs from `expected`; None where all are equal.

    Raises `EngineError` where `actual` lacks an array of `expected` or has one of another shape.
    """
    divergences = [
        _first_difference(population.name, quantity, left, right, engine, expected.timesteps)
        for population, quantity, left, right in _iter_pairs(network, expected, actual)
        if not np.array_equal(left, right)
    ]
    if not (divergences or np.array_equal(expected.steps, actual.steps)):
        sample = int(np.flatnonzero(expected.steps != actual.steps)[0])
        left, right = int(expected.steps[sample]), int(actual.steps[sample])
        step = min(left, right) - 1
        return Divergence(engine, step, sample, network.output, 0, "exit", left, right)
    # `min` returns the first of equals, and the pairs come in topological order.
    return min(divergences, key=lambda d: (d.timestep, d.quantity == "count"), default=None)


def _first_difference(
    population: str,
    quantity: str,
    expected: NDArray[Any],
    actual: NDArray[Any],
    engine: str,
    timesteps: int,
) -> Divergence:
    index = np.unravel_index(np.flatnonzero(expected != actual)[0], expected.shape)
    timestep = timesteps - 1 if quantity == "count" else int(index[0])
    sample, neuron = int(index[-2]), int(index[-1])
    values = int(expected[index]), int(actual[index])
    return Divergence(engine, timestep, sample, population, neuron, quantity, *values)


def _iter_pairs(
    network: Network, expected: Trace, actual: Trace
) -> Iterator[tuple[Population, str, NDArray[Any], NDArray[Any]]]:
    """Iterate over pairs of arrays to compare, (..., samples, neurons), in topological order."""
    for population in (*network.inputs, *network.topological_order):
        for quantity, lefts, rights in (
            ("current", expected.currents, actual.currents),
            ("voltage", expected.voltages, actual.voltages),
            ("spike", expected.spikes, actual.spikes),
            ("count", expected.counts, actual.counts),
        ):
            if population.name in lefts:
                left, right = lefts[population.name], rights.get(population.name)
                if right is None or right.shape != left.shape:
                    has = "no" if right is None else right.shape
                    raise EngineError(f"{population.name}: {has} {quantity}s, needs {left.shape}")
                flat = (*left.shape[: left.ndim - len(population.shape)], population.neurons)
                yield population, quantity, left.reshape(flat), right.reshape(flat)
