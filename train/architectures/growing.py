"""A network while it is put together: each part is told what it reads and gives its name."""

from collections.abc import Sequence

from torch import nn

from ...runtime.errors import NetworkError
from ..dynamics import Rule
from ..gates import Gate, Kind
from ..layers import Layer
from ..networks import INPUT, NeuronOptions, SpikingNetwork
from ..projections import Pair, Projection, Reads, Shape, Sources
from ..recurrent import RecurrentLayer

READ_OUT = Rule(current_decay=4096, voltage_decay=0, spikes=False)


class Growing:
    """Layers so far. What reads several sources reads their sum; all of these have one shape."""

    def __init__(self, neuron: NeuronOptions, input_shape: Shape, value_bits: int):
        self.neuron = neuron
        self.layers: list[Layer | Gate] = []
        self.shapes: dict[str, Shape] = {INPUT: input_shape}
        self.value_bits = value_bits

    def conv(
        self,
        name: str,
        sources: Sources,
        channels: int,
        kernel: int = 3,
        stride: int = 1,
        window: int = 1,
        shortcut: Sequence[Projection] = (),
        gain: float = 1.0,
    ) -> Sources:
        """Add spikes after a convolution, padded by half its kernel, of means over `window`s.

        `shortcut` adds to what drives them; `gain` is what batch norm scales by at first.
        """
        main = self.convolution(name, sources, channels, kernel, stride, window, gain)
        _, height, width = self._windowed(name, sources, window)
        inset = kernel // 2
        sizes = ((size + 2 * inset - kernel) // stride + 1 for size in (height, width))
        return self._spikes(name, [main, *shortcut], (channels, *sizes))

    def convolution(
        self,
        name: str,
        sources: Sources,
        channels: int,
        kernel: int = 3,
        stride: int = 1,
        window: int = 1,
        gain: float = 1.0,
    ) -> Projection:
        """Return a convolution with batch norm that `name` may read `sources` through."""
        inputs = self._windowed(name, sources, window)[0]
        conv = nn.Conv2d(inputs, channels, kernel, stride, kernel // 2, bias=False)
        norm = nn.BatchNorm2d(channels)
        nn.init.constant_(norm.weight, gain)
        return Projection(Reads(sources, (window, window)), conv, norm)

    def dense(
        self,
        name: str,
        sources: Sources,
        neurons: int,
        window: int | None = 1,
        recurrent: bool = False,
    ) -> Sources:
        """Add spikes after a dense layer, of means over `window`s, or over all where it is None.

        Where `recurrent`, they also reach each other, a step later.
        """
        reads, inputs = self._flat(name, sources, window)
        linear = nn.Linear(inputs, neurons, bias=False)
        projection = Projection(reads, linear, nn.BatchNorm1d(neurons))
        loop = nn.Linear(neurons, neurons, bias=False) if recurrent else None
        return self._spikes(name, [projection], (neurons,), loop)

    def max_pool(self, name: str, sources: Sources, kernel: int, stride: int) -> Sources:
        """Add the OR over windows of one population, padded where they overlap."""
        inset = (kernel - 1) // 2 if kernel > stride else 0
        channels, *sizes = self.shapes[sources[0]]
        counts = [(size + 2 * inset - kernel) // stride + 1 for size in sizes]
        geometry = (kernel, kernel), (stride, stride), (inset, inset)
        return self._add(Gate(name, "max", sources, *geometry), (channels, *counts))

    def gate(self, name: str, kind: Kind, sources: Sources) -> Sources:
        """Add the spikes that `kind` makes of two populations."""
        return self._add(Gate(name, kind, sources), self.shapes[sources[0]])

    def network(self, sources: Sources, classes: int, window: int | None = 1) -> SpikingNetwork:
        """Return the network, with a read-out of means over `window`s, or over all where None."""
        reads, inputs = self._flat("output", sources, window)
        readout = Projection(reads, nn.Linear(inputs, classes))
        self._add(Layer("output", [readout], READ_OUT, bits=self.neuron.weight_bits), (classes,))
        return SpikingNetwork(self.layers, self.shapes[INPUT], self.value_bits)

    def _spikes(
        self, name: str, projections: list[Projection], shape: Shape, loop: nn.Linear | None = None
    ) -> Sources:
        settings = self.neuron.rule, self.neuron.threshold, self.neuron.weight_bits
        if loop is not None:
            return self._add(RecurrentLayer(name, projections, loop, *settings), shape)
        return self._add(Layer(name, projections, *settings), shape)

    def _add(self, layer: Layer | Gate, shape: Shape) -> Sources:
        self.layers.append(layer)
        self.shapes[layer.name] = shape
        return (layer.name,)

    def _windowed(self, name: str, sources: Sources, window: int) -> Shape:
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

    def _flat(self, name: str, sources: Sources, window: int | None) -> tuple[Reads, int]:
        shape = self.shapes[sources[0]]
        pair: Pair = (1, 1)
        if len(shape) == 3 and window is None:
            pair = shape[1], shape[2]
            return Reads(sources, pair), shape[0]
        if len(shape) == 3 and window is not None:
            pair, shape = (window, window), self._windowed(name, sources, window)
        inputs = 1
        for size in shape:
            inputs *= size
        return Reads(sources, pair), inputs
