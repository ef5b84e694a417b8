"""A network while it is put together: each part is told what it reads and gives its name."""

from collections.abc import Sequence

from torch import nn

from ...runtime.errors import NetworkError
from ..nn.layers import SpikingLayer
from ..nn.network import INPUT, NeuronOptions, SpikingNetwork
from ..nn.neuron import NeuronConfig
from ..nn.projections import (
    InputSpec,
    Pair,
    Projection,
    Shape,
    Sources,
)
from ..nn.recurrent import RecurrentLayer
from ..nn.spike_logic import Gate, GateKind

READOUT = NeuronConfig(current_decay=4096, voltage_decay=0, spiking=False)


class NetworkBuilder:
    """Layers so far. What reads several sources reads their sum; all of these have one shape."""

    def __init__(self, neuron: NeuronOptions, input_shape: Shape, value_bits: int):
        self.neuron = neuron
        self.layers: list[SpikingLayer | Gate] = []
        self.shapes: dict[str, Shape] = {INPUT: input_shape}
        self.value_bits = value_bits

    def add_conv(
        self,
        name: str,
        sources: Sources,
        channels: int,
        kernel: int = 3,
        stride: int = 1,
        pool_size: int = 1,
        shortcut: Sequence[Projection] = (),
        gain: float = 1.0,
    ) -> Sources:
        """Add spikes after a convolution, padded by half its kernel, of means over `window`s.

        `shortcut` adds to what drives them; `gain` is what batch norm scales by at first.
        """
        main = self.make_conv_projection(name, sources, channels, kernel, stride, pool_size, gain)
        _, height, width = self._pooled_shape(name, sources, pool_size)
        inset = kernel // 2
        sizes = ((size + 2 * inset - kernel) // stride + 1 for size in (height, width))
        return self._add_spiking_layer(name, [main, *shortcut], (channels, *sizes))

    def make_conv_projection(
        self,
        name: str,
        sources: Sources,
        channels: int,
        kernel: int = 3,
        stride: int = 1,
        pool_size: int = 1,
        gain: float = 1.0,
    ) -> Projection:
        """Return a convolution with batch norm that `name` may read `sources` through."""
        inputs = self._pooled_shape(name, sources, pool_size)[0]
        conv = nn.Conv2d(inputs, channels, kernel, stride, kernel // 2, bias=False)
        norm = nn.BatchNorm2d(channels)
        nn.init.constant_(norm.weight, gain)
        return Projection(InputSpec(sources, (pool_size, pool_size)), conv, norm)

    def add_dense(
        self,
        name: str,
        sources: Sources,
        neurons: int,
        pool_size: int | None = 1,
        recurrent: bool = False,
    ) -> Sources:
        """Add spikes after a dense layer, of means over `window`s, or over all where it is None.

        Where `recurrent`, they also reach each other, a step later.
        """
        reads, inputs = self._flatten_input(name, sources, pool_size)
        linear = nn.Linear(inputs, neurons, bias=False)
        projection = Projection(reads, linear, nn.BatchNorm1d(neurons))
        loop = nn.Linear(neurons, neurons, bias=False) if recurrent else None
        return self._add_spiking_layer(name, [projection], (neurons,), loop)

    def add_max_pool(self, name: str, sources: Sources, kernel: int, stride: int) -> Sources:
        """Add the OR over windows of one population, padded where they overlap."""
        inset = (kernel - 1) // 2 if kernel > stride else 0
        channels, *sizes = self.shapes[sources[0]]
        counts = [(size + 2 * inset - kernel) // stride + 1 for size in sizes]
        geometry = (kernel, kernel), (stride, stride), (inset, inset)
        return self._add_layer(Gate(name, "max", sources, *geometry), (channels, *counts))

    def add_gate(self, name: str, kind: GateKind, sources: Sources) -> Sources:
        """Add the spikes that `kind` makes of two populations."""
        return self._add_layer(Gate(name, kind, sources), self.shapes[sources[0]])

    def build(self, sources: Sources, classes: int, pool_size: int | None = 1) -> SpikingNetwork:
        """Return the network, with a read-out of means over `window`s, or over all where None."""
        reads, inputs = self._flatten_input("output", sources, pool_size)
        readout = Projection(reads, nn.Linear(inputs, classes))
        self._add_layer(
            SpikingLayer("output", [readout], READOUT, weight_bits=self.neuron.weight_bits),
            (classes,),
        )
        return SpikingNetwork(self.layers, self.shapes[INPUT], self.value_bits)

    def _add_spiking_layer(
        self, name: str, projections: list[Projection], shape: Shape, loop: nn.Linear | None = None
    ) -> Sources:
        settings = self.neuron.config, self.neuron.threshold, self.neuron.weight_bits
        if loop is not None:
            return self._add_layer(RecurrentLayer(name, projections, loop, *settings), shape)
        return self._add_layer(SpikingLayer(name, projections, *settings), shape)

    def _add_layer(self, layer: SpikingLayer | Gate, shape: Shape) -> Sources:
        self.layers.append(layer)
        self.shapes[layer.name] = shape
        return (layer.name,)

    def _pooled_shape(self, name: str, sources: Sources, window: int) -> Shape:
        shape = self.shapes[sources[0]]
        if len(shape) != 3:
            raise NetworkError(f"{name}: takes images, but {sources[0]} has shape {shape}")
        channels, height, width = shape
        if height % window or width % window:
            raise NetworkError(
                f"{name}: windows of {window} do not divide {height} by {width}; choose a "
                "resolution that they do, or pool = 'max'"
            )
        return channels, height // window, width // window

    def _flatten_input(
        self, name: str, sources: Sources, window: int | None
    ) -> tuple[InputSpec, int]:
        shape = self.shapes[sources[0]]
        pair: Pair = (1, 1)
        if len(shape) == 3 and window is None:
            pair = shape[1], shape[2]
            return InputSpec(sources, pair), shape[0]
        if len(shape) == 3 and window is not None:
            pair, shape = (window, window), self._pooled_shape(name, sources, window)
        inputs = 1
        for size in shape:
            inputs *= size
        return InputSpec(sources, pair), inputs
