"""Events that an engine takes: validation, and the one axis order.

Axis order, everywhere: `(timesteps, batch, channels, height, width)`, or `(timesteps, batch,
features)` where a population is flat. Values are 0 and 1, or wider where an input is graded.
"""

import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import EngineError
from .population import Population


class HasInputs(Protocol):
    """A network, in integers or floats: whatever has input populations."""

    @property
    def inputs(self) -> tuple[Population, ...]:
        """Its input populations."""


Events = NDArray[Any] | Mapping[str, NDArray[Any]]


def as_events(network: HasInputs, inputs: Any) -> dict[str, NDArray[Any]]:
    """Convert `inputs` to validated events by input population.

    Args:
        network: Network that takes them.
        inputs: An array where the network has one input, a mapping from input population to array,
            or an object that has either as its `events`, such as part of a data set. Frames of
            such an object are flattened where the input population is flat.

    Returns:
        Values (timesteps, batch, *input shape) by name of the input population, uint8, or int32
        where they have a sign or more than 8 bits.

    Raises:
        EngineError: A shape or value does not fit the inputs.
    """
    events = getattr(inputs, "events", inputs)
    if isinstance(events, Mapping):
        return validate_events(network, events)
    array = np.asarray(events)
    if events is not inputs and len(network.inputs) == 1 and array.ndim > 2:
        population = network.inputs[0]
        if math.prod(array.shape[2:]) == population.neurons:
            array = array.reshape(*array.shape[:2], *population.shape)
    return validate_events(network, array)


def validate_events(network: HasInputs, events: Events) -> dict[str, NDArray[Any]]:
    """Validate the events of each input population and convert them to its type of values.

    `events` is one array (timesteps, batch, *shape) where the network has one input, else a mapping
    by name; any integer or boolean type. Raises `EngineError` where a shape or value does not fit.
    """
    return validate_inputs(network.inputs, events)


def validate_inputs(inputs: tuple[Population, ...], events: Events) -> dict[str, NDArray[Any]]:
    """Validate events against input populations, where there is no network."""
    arrays = events if isinstance(events, Mapping) else {inputs[0].name: events}
    if set(arrays) != {p.name for p in inputs}:
        names = ", ".join(p.name for p in inputs)
        listed = ", ".join(arrays) or "nothing"
        raise EngineError(f"events for {listed}, but the inputs are {names}")
    validated: dict[str, NDArray[Any]] = {}
    for population in inputs:
        array = np.asarray(arrays[population.name])
        if array.dtype.kind not in "iub" or array.shape[2:] != population.shape:
            raise EngineError(
                f"{population.name}: events are {array.dtype} {array.shape}, "
                f"needs integers (timesteps, batch, {', '.join(map(str, population.shape))})"
            )
        if 0 in array.shape:
            raise EngineError(f"{population.name}: events of shape {array.shape} are empty")
        if not _holds_all(array, population):
            raise EngineError(
                f"{population.name}: events hold {array.min()}..{array.max()}, "
                f"needs {population.min_value}..{population.max_value}"
            )
        validated[population.name] = array.astype(population.value_type, copy=False)
    if len(inputs) > 1 and len({array.shape[:2] for array in validated.values()}) > 1:
        raise EngineError("inputs differ in timesteps or batch, need the same")
    return validated


def _holds_all(array: NDArray[Any], population: Population) -> bool:
    """True where `population` sends all values of `array`."""
    top = population.max_value
    if array.dtype.kind in "ub":
        return array.dtype == np.bool_ or bool(array.max() <= top)
    return bool(array.min() >= population.min_value and array.max() <= top)
