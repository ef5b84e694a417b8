"""Networks in training: layers that read the layers before them, and a read-out at the end."""

from collections.abc import Iterator, Sequence

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ...convert.quantize.float_network import FloatNetwork, FloatPopulation, FloatProjection
from ...convert.quantize.scales import quantize_decay
from .layers import SpikingLayer, set_quantized
from .neuron import NeuronConfig, Surrogate
from .projections import InputSpec, Shape, gather_input
from .spike_logic import Gate

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
    def config(self) -> NeuronConfig:
        """The same as a layer takes it."""
        decays = quantize_decay(self.current_decay), quantize_decay(self.voltage_decay)
        return NeuronConfig(*decays, self.surrogate)


class SpikingNetwork(nn.Module):
    """Layers, each after those it reads; the last is an integrator whose voltage is the answer.

    Layers read each other by name, and the events as `input`. Takes events (timesteps, batch,
    *input_shape) as whole numbers of `value_bits` bits; gives what each step adds to the answer,
    the logits (timesteps, batch, classes).
    """

    def __init__(self, layers: Sequence[SpikingLayer | Gate], input_shape: Shape, value_bits: int):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.input_shape = input_shape
        self.value_bits = value_bits

    def forward(self, events: Tensor) -> Tensor:
        return self.compute_logits(self.features(events))

    def features(self, events: Tensor) -> Tensor:
        """Return what the read-out reads, (timesteps, batch, *shape), whole numbers.

        Spikes, or counts of spikes where the read-out adds up populations or averages over windows.
        """
        known = {InputSpec((INPUT,)): events}
        *before, last = self.layer_list
        for layer in before:
            known[InputSpec((layer.name,))] = layer(
                *(gather_input(known, reads) for reads in layer.inputs)
            )
        return gather_input(known, last.inputs[0])

    def compute_logits(self, features: Tensor) -> Tensor:
        """Return the logits (timesteps, batch, classes) for what `features` gave."""
        summed = self.layers[-1](features)
        return torch.diff(summed, dim=0, prepend=torch.zeros_like(summed[:1]))

    def quantize(self, quantized: bool = True) -> "SpikingNetwork":
        """Compute as the chip will from now on, or in real numbers again; returns itself."""
        set_quantized(self.modules(), quantized)
        return self

    @property
    def layer_list(self) -> list[SpikingLayer | Gate]:
        """Its layers."""
        return [layer for layer in self.layers if isinstance(layer, SpikingLayer | Gate)]

    def layer_shapes(self) -> list[Shape]:
        """Return the shape of each layer's neurons."""
        return [shape for _, shape in _iter_layer_shapes(self)]


@torch.no_grad()
def _iter_layer_shapes(network: SpikingNetwork) -> Iterator[tuple[SpikingLayer | Gate, Shape]]:
    device = next(network.parameters()).device
    known = {InputSpec((INPUT,)): torch.zeros(1, 1, *network.input_shape, device=device)}
    for layer in network.layer_list:
        shape = layer.output_shape(*(gather_input(known, reads) for reads in layer.inputs))
        known[InputSpec((layer.name,))] = torch.zeros(1, 1, *shape, device=device)
        yield layer, shape


def to_float_network(network: SpikingNetwork) -> FloatNetwork:
    """Return `network` in real numbers, batch norm folded, as `pumice.convert` takes it."""
    neurons: list[FloatPopulation] = []
    synapses: list[FloatProjection] = []
    shapes = {INPUT: network.input_shape}
    for layer, shape in _iter_layer_shapes(network):
        population, projections = layer.to_float(shape, shapes)
        neurons.append(population)
        synapses += projections
        shapes[layer.name] = shape
    output = neurons[-1].name
    return FloatNetwork(
        INPUT, network.input_shape, network.value_bits, tuple(neurons), tuple(synapses), output
    )
