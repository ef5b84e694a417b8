"""Networks in training: layers that read the layers before them, and a read-out at the end."""

from collections.abc import Iterator, Sequence

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ..convert.graph import Graph, Neurons, Synapses
from ..convert.rounding import rounded_decay
from .dynamics import Rule, Surrogate
from .gates import Gate
from .layers import Layer, set_quantised
from .projections import Reads, Shape, read

INPUT = "input"


class NeuronOptions(BaseModel):
    """What the neurons of a network do; decays are the share lost each step, 0 to 1.

    What reaches them, and the read-out, has weights of `weight_bits` bits once quantised.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    weight_bits: int = Field(default=8, ge=4, le=8)
    current_decay: float = Field(default=1.0, ge=0, le=1)
    voltage_decay: float = Field(default=0.5, ge=0, le=1)
    threshold: float = Field(default=1.0, gt=0)
    surrogate: Surrogate = "triangle"

    @property
    def rule(self) -> Rule:
        """The same as a layer takes it."""
        decays = rounded_decay(self.current_decay), rounded_decay(self.voltage_decay)
        return Rule(*decays, self.surrogate)


class SpikingNetwork(nn.Module):
    """Layers, each after those it reads; the last is an integrator whose voltage is the answer.

    Layers read each other by name, and the events as `input`. Takes events (timesteps, batch,
    *input_shape) as whole numbers of `value_bits` bits; gives what each step adds to the answer,
    the logits (timesteps, batch, classes).
    """

    def __init__(self, layers: Sequence[Layer | Gate], input_shape: Shape, value_bits: int):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.input_shape = input_shape
        self.value_bits = value_bits

    def forward(self, events: Tensor) -> Tensor:
        return self.answer(self.features(events))

    def features(self, events: Tensor) -> Tensor:
        """Return what the read-out reads, (timesteps, batch, *shape), whole numbers.

        Spikes, or counts of spikes where the read-out adds up populations or averages over windows.
        """
        known = {Reads((INPUT,)): events}
        *before, last = self.nodes
        for layer in before:
            known[Reads((layer.name,))] = layer(*(read(known, reads) for reads in layer.reads))
        return read(known, last.reads[0])

    def answer(self, features: Tensor) -> Tensor:
        """Return the logits (timesteps, batch, classes) for what `features` gave."""
        summed = self.layers[-1](features)
        return torch.diff(summed, dim=0, prepend=torch.zeros_like(summed[:1]))

    def quantise(self, quantised: bool = True) -> "SpikingNetwork":
        """Compute as the chip will from now on, or in real numbers again; returns itself."""
        set_quantised(self.modules(), quantised)
        return self

    @property
    def nodes(self) -> list[Layer | Gate]:
        """Its layers."""
        return [layer for layer in self.layers if isinstance(layer, Layer | Gate)]

    def shapes(self) -> list[Shape]:
        """Return the shape of each layer's neurons."""
        return [shape for _, shape in _shaped(self)]


@torch.no_grad()
def _shaped(network: SpikingNetwork) -> Iterator[tuple[Layer | Gate, Shape]]:
    device = next(network.parameters()).device
    known = {Reads((INPUT,)): torch.zeros(1, 1, *network.input_shape, device=device)}
    for layer in network.nodes:
        shape = layer.shape(*(read(known, reads) for reads in layer.reads))
        known[Reads((layer.name,))] = torch.zeros(1, 1, *shape, device=device)
        yield layer, shape


def lowered(network: SpikingNetwork) -> Graph:
    """Return `network` in real numbers, batch norm folded, as `pumice.convert` takes it."""
    neurons: list[Neurons] = []
    synapses: list[Synapses] = []
    shapes = {INPUT: network.input_shape}
    for layer, shape in _shaped(network):
        population, projections = layer.lowered(shape, shapes)
        neurons.append(population)
        synapses += projections
        shapes[layer.name] = shape
    output = neurons[-1].name
    return Graph(
        INPUT, network.input_shape, network.value_bits, tuple(neurons), tuple(synapses), output
    )
