"""Build a float network from a sequence of layers and neurons."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...runtime.errors import NetworkError
from ...runtime.population import Population
from ..quantize.float_network import FloatNetwork, FloatPopulation, FloatProjection, as_shape
from ..quantize.fuse import fuse_linear_ops
from ..quantize.linear_ops import AffineOp, ConvOp, LinearOp, Op, PoolOp, Shape
from ..quantize.neuron_params import NeuronParams, make_neuron_params
from ..quantize.neuron_populations import Incoming, build_neurons
from .torch_layers import AdaptiveAvgPool, ParsedLayer, SpikeMaxPool

SPIKE_MAX_POOL_PARAMS = make_neuron_params(threshold=0.5, voltage_decay=1.0)
READOUT_PARAMS = make_neuron_params(spiking=False)
NamedOps = list[tuple[str, Op]]


def build_sequential(
    layers: Sequence[tuple[str, ParsedLayer]],
    input_shape: Shape,
    value_bits: int,
    provenance: Mapping[str, Any],
) -> FloatNetwork:
    """Build the float network of a sequence of layers.

    Layers after the last neurons are integrated by a read-out called `output`.

    Args:
        layers: The layers in their order, with their names.
        input_shape: (channels, height, width) or (neurons,).
        value_bits: Bits of an input value.
        provenance: Provenance of the network.

    Raises:
        NetworkError: Shapes do not match or the order makes no network; names the layer.
    """
    shape = as_shape(input_shape)
    Population("input", shape, "input", value_bits=value_bits)  # validates both
    builder = _SequentialBuilder(shape, value_bits)
    for name, layer in layers:
        if isinstance(layer, NeuronParams):
            builder.add_population(name, layer)
        elif isinstance(layer, SpikeMaxPool):
            builder.add_spike_max_pool(name, layer.pool)
        elif isinstance(layer, AdaptiveAvgPool):
            builder.pending_ops.append((name, _make_avg_pool(name, layer, builder.current_shape())))
        elif layer is not None:
            builder.pending_ops.append((name, layer))
    if any(isinstance(op, LinearOp | ConvOp | AffineOp | PoolOp) for _, op in builder.pending_ops):
        builder.add_population("output", READOUT_PARAMS)
    if not builder.populations:
        raise NetworkError("the model: has no neurons")
    return FloatNetwork(
        "input",
        shape,
        value_bits,
        tuple(builder.populations),
        tuple(builder.projections),
        builder.populations[-1].name,
        provenance,
    )


class _SequentialBuilder:
    """The populations so far, and the linear operations since the last of them."""

    def __init__(self, shape: Shape, value_bits: int) -> None:
        self.populations: list[FloatPopulation] = []
        self.projections: list[FloatProjection] = []
        self.pending_ops: NamedOps = []
        self.value_bits = value_bits
        self._source, self._shape = "input", shape

    def current_shape(self) -> Shape:
        """Output shape of the operations so far."""
        return fuse_linear_ops(self.pending_ops, self._shape).shape

    def add_population(self, name: str, params: NeuronParams) -> None:
        """Fuse the pending operations to a projection into a new population."""
        if self.populations and not self.populations[-1].spiking:
            raise NetworkError(f"{name}: follows neurons that do not spike; they must come last")
        if params.input is not None:
            self.pending_ops.append((f"{name}.input", params.input))
        fused = fuse_linear_ops(self.pending_ops, self._shape)
        incoming = Incoming(f"{self._source}-{name}", self._source, fused)
        populations, projections = build_neurons(name, params, [incoming])
        self.populations += populations
        self.projections += projections
        self._source, self._shape, self.pending_ops = name, populations[-1].shape, []

    def add_spike_max_pool(self, name: str, pool: PoolOp) -> None:
        """Add max pooling as a stateless population, directly after neurons or the input."""
        if self.pending_ops:
            raise NetworkError(
                f"{name}: takes the maximum of the output of {self.pending_ops[-1][0]}, which is "
                "not linear; move it after the neurons, or use average pooling"
            )
        several = self.populations and self.populations[-1].max_spikes > 1
        if several or (not self.populations and self.value_bits > 1):
            raise NetworkError(f"{name}: takes the maximum of graded values; use average pooling")
        self.pending_ops.append((name, pool))
        self.add_population(name, SPIKE_MAX_POOL_PARAMS)


def _make_avg_pool(name: str, pool: AdaptiveAvgPool, shape: Shape) -> Op:
    if pool.neuron_groups:
        neurons = int(np.prod(shape))
        if neurons % pool.size:
            raise NetworkError(
                f"{name}: {neurons} neurons do not divide into groups of {pool.size}"
            )
        weights = np.repeat(np.eye(neurons // pool.size), pool.size, axis=1) / pool.size
        return LinearOp(weights, np.zeros(len(weights)))
    if len(shape) != 3:
        raise NetworkError(f"{name}: takes images, but gets a flat layer")
    sizes = pool.size if isinstance(pool.size, tuple) else (pool.size, pool.size)
    rows, columns = (size or own for size, own in zip(sizes, shape[1:], strict=True))
    if shape[1] % rows or shape[2] % columns:
        raise NetworkError(f"{name}: {shape[1:]} does not divide into {rows} by {columns} windows")
    kernel = shape[1] // rows, shape[2] // columns
    return PoolOp(kernel, kernel, scale=1 / (kernel[0] * kernel[1]))
