"""Build a spiking network layer by layer: shapes, padding, batch norm and names of layers."""

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from ...runtime.errors import NetworkError
from ..nn.layers import SpikingLayer
from ..nn.network import INPUT, SpikingNetwork
from ..nn.neuron import NeuronConfig
from ..nn.projections import InputSpec, Pair, Projection, Shape, Sources
from ..nn.recurrent import RecurrentLayer
from ..nn.sigma_delta import SigmaDeltaLayer, SigmaReadout, add_encoder
from ..nn.spike_logic import Gate, GateKind
from .options import NeuronOptions

READOUT = NeuronConfig(current_decay=4096, voltage_decay=0, spiking=False)
Layers = list[SpikingLayer | Gate]


def check_sizes(name: str, input_shape: Sequence[int], classes: int) -> Shape:
    """Validate the sizes that network `name` is created with; return the shape as a tuple.

    Raises:
        NetworkError: The shape is not (channels, height, width) or (neurons,), or `classes` is not
            a number from 1.
    """
    try:
        shape = tuple(operator.index(size) for size in input_shape)
        valid = len(shape) in (1, 3) and min(shape) >= 1
    except TypeError:
        valid = False
    if not valid:
        raise NetworkError(
            f"{name}: input_shape is {input_shape!r}, needs (channels, height, width) or (neurons,)"
        )
    if not isinstance(classes, int | np.integer) or classes < 1:
        raise NetworkError(f"{name}: classes is {classes!r}, needs the number of classes")
    return shape


@dataclass(frozen=True)
class Conv:
    """A convolution, padded by half its kernel, of `pool_size` x `pool_size` average pooling.

    `gain` is the initial weight of its batch norm.
    """

    channels: int
    kernel: int = 3
    stride: int = 1
    pool_size: int = 1
    gain: float = 1.0


def complete_layers(layers: Layers, neuron: NeuronOptions) -> Layers:
    """Add the encoder of the input that a sigma-delta network needs.

    Raises:
        NetworkError: A layer is a gate on spikes, or has the name of the encoder.
    """
    if neuron.kind != "sigma_delta":
        return layers
    neurons = []
    for layer in layers:
        if isinstance(layer, Gate):
            raise NetworkError(
                f"{layer.name}: takes spikes, but sigma_delta neurons send changes; use average "
                "pooling, or neurons of kind cuba"
            )
        neurons.append(layer)
    return [*add_encoder(neurons, neuron.input_threshold)]


class NetworkBuilder:
    """The layers built so far and their shapes.

    Layers name their sources. A layer of several sources reads their sum; the sources have one
    shape.
    """

    def __init__(self, neuron: NeuronOptions, input_shape: Shape):
        self.neuron = neuron
        self.layers: Layers = []
        self.shapes: dict[str, Shape] = {INPUT: input_shape}

    def add_conv(
        self, name: str, sources: Sources, conv: Conv, shortcut: Sequence[Projection] = ()
    ) -> Sources:
        """Add spiking neurons driven by a convolution with batch norm, and by `shortcut`."""
        main = self.make_conv_projection(name, sources, conv)
        _, height, width = self._pooled_shape(name, sources, conv.pool_size)
        padding = conv.kernel // 2
        sizes = ((n + 2 * padding - conv.kernel) // conv.stride + 1 for n in (height, width))
        return self._add_spiking_layer(name, [main, *shortcut], (conv.channels, *sizes))

    def make_conv_projection(self, name: str, sources: Sources, conv: Conv) -> Projection:
        """Create a projection with a convolution and batch norm into layer `name`."""
        inputs = self._pooled_shape(name, sources, conv.pool_size)[0]
        padding = conv.kernel // 2
        linear = nn.Conv2d(inputs, conv.channels, conv.kernel, conv.stride, padding, bias=False)
        norm = nn.BatchNorm2d(conv.channels)
        nn.init.constant_(norm.weight, conv.gain)
        return Projection(InputSpec(sources, (conv.pool_size, conv.pool_size)), linear, norm)

    def add_dense(
        self,
        name: str,
        sources: Sources,
        neurons: int,
        pool_size: int | None = 1,
        recurrent: bool = False,
    ) -> Sources:
        """Add spiking neurons driven by a dense layer with batch norm, after average pooling.

        A `pool_size` of None pools globally. With `recurrent`, the neurons also have synapses among
        themselves with a delay of one step.
        """
        spec, inputs = self._flatten_input(name, sources, pool_size)
        linear = nn.Linear(inputs, neurons, bias=False)
        projection = Projection(spec, linear, nn.BatchNorm1d(neurons))
        loop = nn.Linear(neurons, neurons, bias=False) if recurrent else None
        return self._add_spiking_layer(name, [projection], (neurons,), loop)

    def add_max_pool(self, name: str, sources: Sources, kernel: int, stride: int) -> Sources:
        """Add max pooling of one population's spikes (an OR), padded where windows overlap."""
        padding = (kernel - 1) // 2 if kernel > stride else 0
        channels, *sizes = self.shapes[sources[0]]
        pooled = [(size + 2 * padding - kernel) // stride + 1 for size in sizes]
        geometry = (kernel, kernel), (stride, stride), (padding, padding)
        return self._add_layer(Gate(name, "max", sources, *geometry), (channels, *pooled))

    def add_gate(self, name: str, kind: GateKind, sources: Sources) -> Sources:
        """Add a logic gate on the spikes of two populations."""
        return self._add_layer(Gate(name, kind, sources), self.shapes[sources[0]])

    def add_readout(self, sources: Sources, classes: int, pool_size: int | None = 1) -> Layers:
        """Add an integrating read-out, after average pooling (None: global); return all layers."""
        spec, inputs = self._flatten_input("output", sources, pool_size)
        bits, spikes = self.neuron.weight_bits, self.neuron.kind == "cuba"
        projection = Projection(spec, nn.Linear(inputs, classes, bias=spikes))
        self._add_layer(
            SpikingLayer("output", [projection], READOUT, weight_bits=bits)
            if spikes
            else SigmaReadout("output", [projection], weight_bits=bits),
            (classes,),
        )
        return complete_layers(self.layers, self.neuron)

    def build(self, sources: Sources, classes: int) -> SpikingNetwork:
        """Add the read-out and create a network of all layers."""
        return SpikingNetwork(self.add_readout(sources, classes), self.shapes[INPUT])

    def _add_spiking_layer(
        self, name: str, projections: list[Projection], shape: Shape, loop: nn.Linear | None = None
    ) -> Sources:
        if self.neuron.kind == "sigma_delta":
            return self._add_sigma_delta(name, projections, shape, loop)
        settings = self.neuron.config, self.neuron.threshold, self.neuron.weight_bits
        if loop is not None:
            return self._add_layer(RecurrentLayer(name, projections, loop, *settings), shape)
        return self._add_layer(SpikingLayer(name, projections, *settings), shape)

    def _add_sigma_delta(
        self, name: str, projections: list[Projection], shape: Shape, loop: nn.Linear | None
    ) -> Sources:
        if loop is not None:
            raise NetworkError(
                f"{name}: is recurrent, which sigma_delta neurons are not in training; leave out "
                "recurrent"
            )
        bits, learn = self.neuron.weight_bits, self.neuron.learn
        layer = SigmaDeltaLayer(name, projections, self.neuron.threshold, bits, learn)
        return self._add_layer(layer, shape)

    def _add_layer(self, layer: SpikingLayer | Gate, shape: Shape) -> Sources:
        self.layers.append(layer)
        self.shapes[layer.name] = shape
        return (layer.name,)

    def _pooled_shape(self, name: str, sources: Sources, pool_size: int) -> Shape:
        shape = self.shapes[sources[0]]
        if len(shape) != 3:
            raise NetworkError(
                f"{name}: {sources[0]} has shape {shape}, a convolution needs (channels, height, "
                "width); use dense layers alone"
            )
        channels, height, width = shape
        if height % pool_size or width % pool_size:
            raise NetworkError(
                f"{name}: pooling over {pool_size} x {pool_size} does not divide {height} x "
                f"{width}; choose a resolution that it divides, or pool = 'max'"
            )
        return channels, height // pool_size, width // pool_size

    def _flatten_input(
        self, name: str, sources: Sources, pool_size: int | None
    ) -> tuple[InputSpec, int]:
        shape = self.shapes[sources[0]]
        pair: Pair = (1, 1)
        if len(shape) == 3 and pool_size is None:
            pair = shape[1], shape[2]
            return InputSpec(sources, pair), shape[0]
        if len(shape) == 3 and pool_size is not None:
            pair, shape = (pool_size, pool_size), self._pooled_shape(name, sources, pool_size)
        inputs = 1
        for size in shape:
            inputs *= size
        return InputSpec(sources, pair), inputs
