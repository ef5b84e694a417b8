"""What a graph of real numbers computes, before any rounding: the equations of `convert.graph`."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .float_network import FloatNetwork, FloatPopulation, FloatProjection

Float32Array = NDArray[np.float32]


@torch.no_grad()
def simulate_float_network(
    graph: FloatNetwork, events: NDArray[np.uint8]
) -> dict[str, Float32Array]:
    """Return what each population sends at every step, float32 (timesteps, batch, *shape).

    Spikes are 0 or 1; a population that does not spike gives its voltages. `events` are
    (timesteps, batch, *input shape).
    """
    given = torch.from_numpy(events.astype(np.float32))
    sent = {graph.input_name: given}
    for neurons in graph.populations:
        sent[neurons.name] = torch.zeros(*given.shape[:2], *neurons.shape)
    incoming = {
        n.name: [(s, _weight_tensor(s)) for s in graph.projections if s.target == n.name]
        for n in graph.populations
    }
    states = {n.name: (torch.zeros(1), torch.zeros(1)) for n in graph.populations}
    for now in range(len(given)):
        for neurons in graph.populations:
            arriving = _sum_inputs(neurons, incoming[neurons.name], sent, now)
            states[neurons.name], out = _lif_step(neurons, *states[neurons.name], arriving)
            sent[neurons.name][now] = out
    return {name: values.numpy() for name, values in sent.items()}


def _sum_inputs(
    neurons: FloatPopulation,
    incoming: list[tuple[FloatProjection, Tensor]],
    sent: Mapping[str, Tensor],
    now: int,
) -> Tensor:
    total = torch.zeros(1)
    for synapses, weights in incoming:
        if now >= synapses.delay:
            values = sent[synapses.source][now - synapses.delay]
            total = total + apply_projection(synapses, weights, values).reshape(-1, *neurons.shape)
    return total


def _lif_step(
    neurons: FloatPopulation, current: Tensor, voltage: Tensor, arriving: Tensor
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return the next current and voltage, and what is sent."""
    current = current * _decay_factor(neurons.current_decay, neurons.shape) + arriving
    bias = _per_channel_view(torch.from_numpy(np.array(neurons.bias, np.float32)), neurons.shape)
    voltage = voltage * _decay_factor(neurons.voltage_decay, neurons.shape) + current + bias
    if not neurons.spiking:
        return (current, voltage), voltage
    fired = voltage > neurons.threshold
    return (current, voltage.masked_fill(fired, 0)), fired.float()


def _decay_factor(decay: object, shape: tuple[int, ...]) -> Tensor:
    return _per_channel_view(1 - torch.as_tensor(decay, dtype=torch.float32), shape)


def _per_channel_view(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    return values.view(-1, *[1] * (len(shape) - 1))


def _weight_tensor(synapses: FloatProjection) -> Tensor:
    return torch.from_numpy(np.array(synapses.weights, np.float32))


def apply_projection(synapses: FloatProjection, weights: Tensor, values: Tensor) -> Tensor:
    """Return what `values` (batch, *source shape) come to through `synapses` with `weights`."""
    if synapses.kind == "dense":
        return functional.linear(values.flatten(1), weights)
    groups = synapses.groups
    if synapses.kind == "sum_pool":
        groups = values.shape[1]
        weights = weights.view(1, 1, 1, 1).expand(groups, 1, *synapses.kernel)
    return functional.conv2d(
        values, weights, None, synapses.stride, synapses.padding, synapses.dilation, groups
    )
