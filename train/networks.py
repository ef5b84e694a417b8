"""Networks as a recipe names them: a chain of layers that ends in a read-out."""

from itertools import pairwise
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ..convert.graph import Graph, Neurons, Synapses
from ..convert.rounding import rounded_decay
from .dynamics import Rule, Surrogate
from .layers import Layer, set_quantised


class NeuronOptions(BaseModel):
    """What the spiking neurons of a network do; decays are the share lost each step, 0 to 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    current_decay: float = Field(default=1.0, ge=0, le=1)
    voltage_decay: float = Field(default=0.5, ge=0, le=1)
    threshold: float = Field(default=1.0, gt=0)
    surrogate: Surrogate = "triangle"


class NetworkOptions(BaseModel):
    """A small convolutional network: strided convolutions, dense layers, a read-out that sums up.

    `channels`, `kernels` and `strides` have one entry a convolution, padded by half its kernel;
    `hidden` one a dense layer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Literal["conv"] = "conv"
    channels: tuple[int, ...] = (16, 32)
    kernels: tuple[int, ...] = (3, 3)
    strides: tuple[int, ...] = (2, 2)
    hidden: tuple[int, ...] = (128,)
    neuron: NeuronOptions = NeuronOptions()


class SpikingNetwork(nn.Module):
    """A chain of layers, the last of which is an integrator whose voltage is the answer.

    Takes events (timesteps, batch, *input_shape) as whole numbers of `value_bits` bits; gives what
    each step adds to the answer, the logits (timesteps, batch, classes).
    """

    def __init__(self, layers: list[Layer], input_shape: tuple[int, ...], value_bits: int):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.input_shape = input_shape
        self.value_bits = value_bits

    def forward(self, events: Tensor) -> Tensor:
        return self.answer(self.features(events))

    def features(self, events: Tensor) -> Tensor:
        """Return what the read-out reads: spikes (timesteps, batch, *shape of the last layer)."""
        values = events
        for layer in self.layers[:-1]:
            values = layer(values)
        return values

    def answer(self, features: Tensor) -> Tensor:
        """Return the logits (timesteps, batch, classes) for what `features` gave."""
        summed = self.layers[-1](features)
        return torch.diff(summed, dim=0, prepend=torch.zeros_like(summed[:1]))

    def quantise(self, quantised: bool = True) -> "SpikingNetwork":
        """Compute as the chip will from now on, or in real numbers again; returns itself."""
        set_quantised(self.modules(), quantised)
        return self

    @torch.no_grad()
    def shapes(self) -> list[tuple[int, ...]]:
        """Return the shape of each layer's neurons."""
        values = torch.zeros(1, 1, *self.input_shape)
        found = []
        for layer in self.layers:
            assert isinstance(layer, Layer)
            values = layer.mapped(values, layer.linear.weight)
            found.append(tuple(values.shape[2:]))
        return found


def conv_net(
    options: NetworkOptions, input_shape: tuple[int, ...], classes: int, value_bits: int
) -> SpikingNetwork:
    """Return the network of `options`, its weights drawn from torch's global generator."""
    neuron = options.neuron
    rule = Rule(
        rounded_decay(neuron.current_decay), rounded_decay(neuron.voltage_decay), neuron.surrogate
    )
    layers: list[Layer] = []
    sizes = (input_shape[0], *options.channels)
    for (before, after), kernel, stride in zip(
        pairwise(sizes), options.kernels, options.strides, strict=True
    ):
        conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
        layers.append(Layer(conv, rule, True, neuron.threshold))
    flat = SpikingNetwork(layers, input_shape, value_bits).shapes()[-1:] or [input_shape]
    sizes = (int(torch.Size(flat[0]).numel()), *options.hidden)
    for before, after in pairwise(sizes):
        layers.append(Layer(nn.Linear(before, after, bias=False), rule, True, neuron.threshold))
    readout = Rule(current_decay=4096, voltage_decay=0, spikes=False)
    layers.append(Layer(nn.Linear(sizes[-1], classes), readout, False))
    return SpikingNetwork(layers, input_shape, value_bits)


def lowered(network: SpikingNetwork) -> Graph:
    """Return `network` in real numbers, batch norm folded, as `pumice.convert` takes it."""
    neurons: list[Neurons] = []
    synapses: list[Synapses] = []
    source = "input"
    for index, (layer, shape) in enumerate(zip(network.layers, network.shapes(), strict=True)):
        assert isinstance(layer, Layer)
        last = index == len(network.layers) - 1
        kind = "conv" if isinstance(layer.linear, nn.Conv2d) else "dense"
        name = "output" if last else f"{kind}{index + 1}"
        population, projection = layer.lowered(name, source, shape)
        neurons.append(population)
        synapses.append(projection)
        source = name
    return Graph(
        "input", network.input_shape, network.value_bits, tuple(neurons), tuple(synapses), source
    )
