"""A chain of layers and neurons, one after the other, as a `Graph`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..runtime.errors import NetworkError
from .between import joined
from .graph import Graph, Neurons, Synapses
from .modules import AnySpike, MeanTo, Thing, cell
from .neuron_rule import Rule
from .steps import Gain, Kernels, Matrix, Pool, Shape, Step

ANY_SPIKE = cell(threshold=0.5, voltage_decay=1.0)
READ_OUT = cell(spikes=False)
Steps = list[tuple[str, Step]]


def chained(
    things: Sequence[tuple[str, Thing]], input_shape: Shape, value_bits: int, made_by: Any
) -> Graph:
    """Return the graph of named `things`; `made_by` is its provenance.

    What follows the last neurons is added up by a read-out. Raises `NetworkError`, with a layer's
    name, where shapes do not meet or the order makes no network.
    """
    growing = _Growing(tuple(input_shape), value_bits)
    for name, thing in things:
        if isinstance(thing, Rule):
            growing.add(name, thing)
        elif isinstance(thing, AnySpike):
            growing.add_any_spike(name, thing.pool)
        elif isinstance(thing, MeanTo):
            growing.steps.append((name, _mean(name, thing, growing.shape_now())))
        elif thing is not None:
            growing.steps.append((name, thing))
    if any(isinstance(step, Matrix | Kernels | Gain | Pool) for _, step in growing.steps):
        growing.add("output", READ_OUT)
    if not growing.neurons:
        raise NetworkError("the model: has no neurons")
    return Graph(
        "input",
        tuple(input_shape),
        value_bits,
        tuple(growing.neurons),
        tuple(growing.synapses),
        growing.neurons[-1].name,
        made_by,
    )


class _Growing:
    """Populations so far, and the `steps` since the last of them."""

    def __init__(self, shape: Shape, value_bits: int) -> None:
        self.neurons: list[Neurons] = []
        self.synapses: list[Synapses] = []
        self.steps: Steps = []
        self.value_bits = value_bits
        self._source, self._shape = "input", shape

    def shape_now(self) -> Shape:
        """Return the shape that the steps so far give."""
        return joined(self.steps, self._shape).shape

    def add(self, name: str, rule: Rule) -> None:
        """End the steps so far with neurons."""
        if self.neurons and not self.neurons[-1].spikes:
            raise NetworkError(f"{name}: follows neurons that do not spike; they have to be last")
        neurons, maps = rule.neurons(name, [joined(self.steps, self._shape)])
        self.synapses.append(maps[0].synapses(f"{self._source}-{name}", self._source, name))
        self.neurons.append(neurons)
        self._source, self._shape, self.steps = name, neurons.shape, []

    def add_any_spike(self, name: str, pool: Pool) -> None:
        """Add max pooling, right after neurons or the input."""
        if self.steps:
            raise NetworkError(
                f"{name}: takes the largest of what {self.steps[-1][0]} gives, which is not "
                "linear; put it after the neurons, or use a mean"
            )
        if not self.neurons and self.value_bits > 1:
            raise NetworkError(f"{name}: takes the largest of graded values; use a mean")
        self.steps.append((name, pool))
        self.add(name, ANY_SPIKE)


def _mean(name: str, mean: MeanTo, shape: Shape) -> Step:
    if mean.groups:
        neurons = int(np.prod(shape))
        if neurons % mean.size:
            raise NetworkError(f"{name}: {neurons} neurons are not in groups of {mean.size}")
        weights = np.repeat(np.eye(neurons // mean.size), mean.size, axis=1) / mean.size
        return Matrix(weights, np.zeros(len(weights)))
    if len(shape) != 3:
        raise NetworkError(f"{name}: takes images, but gets a flat layer")
    given = mean.size if isinstance(mean.size, tuple) else (mean.size, mean.size)
    rows, columns = (size or own for size, own in zip(given, shape[1:], strict=True))
    if shape[1] % rows or shape[2] % columns:
        raise NetworkError(f"{name}: {shape[1:]} cannot be cut into {rows} by {columns} windows")
    kernel = shape[1] // rows, shape[2] // columns
    return Pool(kernel, kernel, share=1 / (kernel[0] * kernel[1]))
