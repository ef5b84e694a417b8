"""What a graph of real numbers computes, before any rounding: the equations of `convert.graph`."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .graph import Graph, Neurons, Synapses

Values = NDArray[np.float32]


@torch.no_grad()
def simulated(graph: Graph, events: NDArray[np.uint8]) -> dict[str, Values]:
    """Return what each population sends at every step, float32 (timesteps, batch, *shape).

    Spikes are 0 or 1; a population that does not spike gives its voltages. `events` are
    (timesteps, batch, *input shape).
    """
    given = torch.from_numpy(events.astype(np.float32))
    sent = {graph.input_name: given}
    for neurons in graph.neurons:
        sent[neurons.name] = torch.zeros(*given.shape[:2], *neurons.shape)
    incoming = {
        n.name: [(s, _weights(s)) for s in graph.synapses if s.target == n.name]
        for n in graph.neurons
    }
    states = {n.name: (torch.zeros(1), torch.zeros(1)) for n in graph.neurons}
    for now in range(len(given)):
        for neurons in graph.neurons:
            arriving = _arriving(neurons, incoming[neurons.name], sent, now)
            states[neurons.name], out = _step(neurons, *states[neurons.name], arriving)
            sent[neurons.name][now] = out
    return {name: values.numpy() for name, values in sent.items()}


def _arriving(
    neurons: Neurons,
    incoming: list[tuple[Synapses, Tensor]],
    sent: Mapping[str, Tensor],
    now: int,
) -> Tensor:
    total = torch.zeros(1)
    for synapses, weights in incoming:
        if now >= synapses.delay:
            values = sent[synapses.source][now - synapses.delay]
            total = total + mapped(synapses, weights, values).reshape(-1, *neurons.shape)
    return total


def _step(
    neurons: Neurons, current: Tensor, voltage: Tensor, arriving: Tensor
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """Return the next current and voltage, and what is sent."""
    current = current * _kept(neurons.current_decay, neurons.shape) + arriving
    bias = _spread(torch.from_numpy(np.array(neurons.bias, np.float32)), neurons.shape)
    voltage = voltage * _kept(neurons.voltage_decay, neurons.shape) + current + bias
    if not neurons.spikes:
        return (current, voltage), voltage
    fired = voltage > neurons.threshold
    return (current, voltage.masked_fill(fired, 0)), fired.float()


def _kept(decay: object, shape: tuple[int, ...]) -> Tensor:
    return _spread(1 - torch.as_tensor(decay, dtype=torch.float32), shape)


def _spread(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    return values.view(-1, *[1] * (len(shape) - 1))


def _weights(synapses: Synapses) -> Tensor:
    return torch.from_numpy(np.array(synapses.weights, np.float32))


def mapped(synapses: Synapses, weights: Tensor, values: Tensor) -> Tensor:
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
