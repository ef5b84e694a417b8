"""A chain of layers and neurons, one after the other, as a `Graph`."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...runtime.errors import NetworkError
from ..quantize.float_network import FloatNetwork, FloatPopulation, FloatProjection
from ..quantize.fuse import fuse_linear_ops
from ..quantize.linear_ops import (
    AffineOp,
    ConvOp,
    LinearOp,
    Op,
    PoolOp,
    Shape,
)
from ..quantize.neuron_params import NeuronParams, make_neuron_params
from .torch_layers import (
    AdaptiveAvgPool,
    ParsedLayer,
    SpikeMaxPool,
)

SPIKE_MAX_POOL_PARAMS = make_neuron_params(threshold=0.5, voltage_decay=1.0)
READOUT_PARAMS = make_neuron_params(spiking=False)
NamedOps = list[tuple[str, Op]]


def build_sequential(
    things: Sequence[tuple[str, ParsedLayer]], input_shape: Shape, value_bits: int, made_by: Any
) -> FloatNetwork:
    """Return the graph of named `things`; `made_by` is its provenance.

    What follows the last neurons is added up by a read-out. Raises `NetworkError`, with a layer's
    name, where shapes do not meet or the order makes no network.
    """
    growing = _SequentialBuilder(tuple(input_shape), value_bits)
    for name, thing in things:
        if isinstance(thing, NeuronParams):
            growing.add_population(name, thing)
        elif isinstance(thing, SpikeMaxPool):
            growing.add_spike_max_pool(name, thing.pool)
        elif isinstance(thing, AdaptiveAvgPool):
            growing.pending_ops.append((name, _make_avg_pool(name, thing, growing.current_shape())))
        elif thing is not None:
            growing.pending_ops.append((name, thing))
    if any(
        isinstance(step, LinearOp | ConvOp | AffineOp | PoolOp) for _, step in growing.pending_ops
    ):
        growing.add_population("output", READOUT_PARAMS)
    if not growing.populations:
        raise NetworkError("the model: has no neurons")
    return FloatNetwork(
        "input",
        tuple(input_shape),
        value_bits,
        tuple(growing.populations),
        tuple(growing.projections),
        growing.populations[-1].name,
        made_by,
    )


class _SequentialBuilder:
    """Populations so far, and the `steps` since the last of them."""

    def __init__(self, shape: Shape, value_bits: int) -> None:
        self.populations: list[FloatPopulation] = []
        self.projections: list[FloatProjection] = []
        self.pending_ops: NamedOps = []
        self.value_bits = value_bits
        self._source, self._shape = "input", shape

    def current_shape(self) -> Shape:
        """Return the shape that the steps so far give."""
        return fuse_linear_ops(self.pending_ops, self._shape).shape

    def add_population(self, name: str, rule: NeuronParams) -> None:
        """End the steps so far with neurons."""
        if self.populations and not self.populations[-1].spiking:
            raise NetworkError(f"{name}: follows neurons that do not spike; they have to be last")
        neurons, maps = rule.to_population(name, [fuse_linear_ops(self.pending_ops, self._shape)])
        self.projections.append(maps[0].to_projection(f"{self._source}-{name}", self._source, name))
        self.populations.append(neurons)
        self._source, self._shape, self.pending_ops = name, neurons.shape, []

    def add_spike_max_pool(self, name: str, pool: PoolOp) -> None:
        """Add max pooling, right after neurons or the input."""
        if self.pending_ops:
            raise NetworkError(
                f"{name}: takes the largest of what {self.pending_ops[-1][0]} gives, which is not "
                "linear; put it after the neurons, or use a mean"
            )
        if not self.populations and self.value_bits > 1:
            raise NetworkError(f"{name}: takes the largest of graded values; use a mean")
        self.pending_ops.append((name, pool))
        self.add_population(name, SPIKE_MAX_POOL_PARAMS)


def _make_avg_pool(name: str, mean: AdaptiveAvgPool, shape: Shape) -> Op:
    if mean.neuron_groups:
        neurons = int(np.prod(shape))
        if neurons % mean.size:
            raise NetworkError(f"{name}: {neurons} neurons are not in groups of {mean.size}")
        weights = np.repeat(np.eye(neurons // mean.size), mean.size, axis=1) / mean.size
        return LinearOp(weights, np.zeros(len(weights)))
    if len(shape) != 3:
        raise NetworkError(f"{name}: takes images, but gets a flat layer")
    given = mean.size if isinstance(mean.size, tuple) else (mean.size, mean.size)
    rows, columns = (size or own for size, own in zip(given, shape[1:], strict=True))
    if shape[1] % rows or shape[2] % columns:
        raise NetworkError(f"{name}: {shape[1:]} cannot be cut into {rows} by {columns} windows")
    kernel = shape[1] // rows, shape[2] // columns
    return PoolOp(kernel, kernel, scale=1 / (kernel[0] * kernel[1]))
