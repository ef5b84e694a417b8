"""Trainable spiking networks: named layers that read earlier layers, and an integrating read-out.

Tensors are (timesteps, batch, *shape).
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor, nn

from ...convert.quantize.float_network import FloatNetwork, FloatPopulation, FloatProjection
from ...runtime.errors import NetworkError
from ...runtime.readout import Readout
from .compact import MAX_BYTE
from .layers import SpikingLayer, set_quantized
from .projections import INPUT as INPUT
from .projections import InputSpec, Shape, gather_input
from .sigma_delta import MessageLayer, SigmaDeltaLayer, connect_layers
from .spike_logic import Gate


class SpikingNetwork(nn.Module):
    """Layers in topological order; the last is an integrator whose voltage sums up the logits.

    Layers name their sources; the events are named `input`. Takes events (timesteps, batch,
    *input_shape), integers of `value_bits` bits in a floating-point tensor; returns the logits
    (timesteps, batch, classes), what each step adds to the read-out's voltage.

    Args:
        layers: Spiking layers and gates, each after its sources, the read-out last.
        input_shape: Shape of one frame of events.
        value_bits: Bits of an input value, 1 for binary events; training sets it to the data's.
        options: The recipe's table `[network]` that builds it; None for one built by hand.

    Attributes:
        provenance: Recipe, data, seed and versions of the training run; None before.
        readout: How voltages become predictions, in float units.
    """

    def __init__(
        self,
        layers: Sequence[SpikingLayer | Gate],
        input_shape: Shape,
        value_bits: int = 1,
        options: BaseModel | None = None,
    ):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.input_shape = input_shape
        self.value_bits = value_bits
        self.options = options
        self.provenance: dict[str, Any] | None = None
        self.readout = Readout()
        connect_layers(layers)
        self._sources = [self._sources_from(index) for index in range(len(self.layer_list))]

    def _sources_from(self, index: int) -> set[str]:
        """Names of the populations that the layers from `index` on read."""
        specs = (spec for layer in self.layer_list[index:] for spec in layer.inputs)
        return {source for spec in specs for source in spec.sources}

    def keep_spikes_as_bytes(self) -> None:
        """Let layers keep the spikes that they read as bytes for the backward pass, see `compact`.

        Events, whose values are the caller's, and what dropout scales stay as they are, and so do
        the sums of sigma-delta networks.
        """
        if self.sends_messages:
            return
        fractions = {INPUT}
        for layer in self.layer_list:
            sources = [set(spec.sources) for spec in layer.inputs]
            if isinstance(layer, SpikingLayer):
                # a recurrent projection, the last one, has no source
                for projection, names in zip(layer.projection_list, sources, strict=False):
                    fits = projection.max_input(1) <= MAX_BYTE
                    projection.reads_bytes = fits and not names & fractions
                if layer.dropout:
                    fractions.add(layer.name)
            elif any(names & fractions for names in sources):
                fractions.add(layer.name)

    @property
    def value_bits(self) -> int:
        """Bits of an input value."""
        return self._value_bits

    @value_bits.setter
    def value_bits(self, bits: int) -> None:
        self._value_bits = bits
        for layer in self.layer_list:
            if isinstance(layer, SpikingLayer):
                layer.event_peak = (1 << bits) - 1

    def forward(self, events: Tensor) -> Tensor:
        """Compute the logits (timesteps, batch, classes) of `events`."""
        return self.decide(self.compute_logits(self.features(events)), events)

    def features(self, events: Tensor) -> Tensor:
        """Compute the input of the read-out, integers (timesteps, batch, *shape).

        Spikes, or spike counts where the read-out sums populations or pools.
        """
        outputs = {InputSpec((INPUT,)): events}
        *hidden, readout = self.layer_list
        for index, layer in enumerate(hidden):
            inputs = (gather_input(outputs, spec) for spec in layer.inputs)
            outputs[InputSpec((layer.name,))] = layer(*inputs)
            later = self._sources[index + 1]
            for spec in [spec for spec in outputs if not later.issuperset(spec.sources)]:
                del outputs[spec]  # autograd keeps what it needs
        return gather_input(outputs, readout.inputs[0])

    def compute_logits(self, features: Tensor) -> Tensor:
        """Apply the read-out: logits (timesteps, batch, classes) of `features`."""
        voltages = self.layers[-1](features)
        return torch.diff(voltages, dim=0, prepend=torch.zeros_like(voltages[:1]))

    def decide(self, logits: Tensor, events: Tensor) -> Tensor:
        """Apply the readout rule: logits whose sum over time is the prediction after each timestep.

        `logits` are what each timestep adds to the voltages, (timesteps, batch, classes).
        """
        decision, task = self.readout.decision, self.readout.task
        if decision == "length":
            active = events.flatten(2).any(dim=2)
            remaining = active.flip(0).cummax(dim=0).values.flip(0)  # inputs are still to come
            return logits * remaining.unsqueeze(-1)
        if decision == "last" or (decision == "mean" and task == "classification"):
            return logits
        voltages = logits.cumsum(dim=0)
        if decision == "max":
            predictions = voltages.cummax(dim=0).values
        else:
            counts = torch.arange(1, len(voltages) + 1, device=logits.device, dtype=logits.dtype)
            predictions = voltages / counts.view(-1, 1, 1)
        return torch.diff(predictions, dim=0, prepend=torch.zeros_like(predictions[:1]))

    def quantize(self, quantized: bool = True) -> "SpikingNetwork":
        """Switch to the forward pass of the integer network, or back to floats; returns itself."""
        set_quantized(self.modules(), quantized)
        return self

    @property
    def quantized(self) -> bool:
        """True while the forward pass is that of the integer network."""
        return bool(self.layer_list) and self.layer_list[0].quantized

    @property
    def layer_list(self) -> list[SpikingLayer | Gate]:
        """The layers, typed."""
        return [layer for layer in self.layers if isinstance(layer, SpikingLayer | Gate)]

    @property
    def readout_layer(self) -> SpikingLayer:
        """The last layer, an integrator."""
        layer = self.layers[-1]
        assert isinstance(layer, SpikingLayer)
        return layer

    @property
    def sends_messages(self) -> bool:
        """True for a sigma-delta network."""
        return isinstance(self.readout_layer, MessageLayer)

    def activity(self) -> Tensor:
        """Changes per neuron and timestep of the last forward pass in training, in thresholds.

        The mean over the sigma-delta layers, with gradients: about the number of messages.
        """
        layers = (layer for layer in self.layer_list if isinstance(layer, SigmaDeltaLayer))
        found = [layer.activity.float() for layer in layers if layer.activity is not None]
        return torch.stack(found).mean()

    @property
    def feature_size(self) -> int:
        """Number of values that the read-out reads at each step."""
        return self.readout_layer.linear.weight.shape[1]

    def check_frames(self, shape: Shape) -> None:
        """Raise `NetworkError` where frames of `shape` do not fit the input, flattened or not."""
        if tuple(self.input_shape) not in (shape, (math.prod(shape),)):
            raise NetworkError(
                f"{type(self).__name__}: its input is {tuple(self.input_shape)}, but frames are "
                f"{shape}; build it with data.input_shape"
            )

    def layer_shapes(self) -> list[Shape]:
        """Shape of each layer's population."""
        return [shape for _, shape in _iter_layer_shapes(self)]


@torch.no_grad()
def _iter_layer_shapes(network: SpikingNetwork) -> Iterator[tuple[SpikingLayer | Gate, Shape]]:
    device = next(network.parameters()).device
    outputs = {InputSpec((INPUT,)): torch.zeros(1, 1, *network.input_shape, device=device)}
    for layer in network.layer_list:
        shape = layer.output_shape(*(gather_input(outputs, spec) for spec in layer.inputs))
        outputs[InputSpec((layer.name,))] = torch.zeros(1, 1, *shape, device=device)
        yield layer, shape


def to_float_network(network: SpikingNetwork) -> FloatNetwork:
    """Export `network` as the converter's float network, batch norm folded."""
    populations: list[FloatPopulation] = []
    projections: list[FloatProjection] = []
    shapes = {INPUT: network.input_shape}
    for layer, shape in _iter_layer_shapes(network):
        population, incoming = layer.to_float(shape, shapes)
        populations.append(population)
        projections += incoming
        shapes[layer.name] = shape
    return FloatNetwork(
        input_name=INPUT,
        input_shape=network.input_shape,
        value_bits=network.value_bits,
        populations=tuple(populations),
        projections=tuple(projections),
        output=populations[-1].name,
        provenance=network.provenance or {},
        readout=network.readout,
    )
