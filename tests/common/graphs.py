"""What the graph of a model computes, in double precision."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from pumice.convert.quantize.float_network import FloatNetwork, FloatProjection


def simulate(graph: FloatNetwork, events: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Spikes, or voltages of what does not spike, of each population at every step.

    All are (timesteps, batch, *shape), as `events`.
    """
    given = torch.from_numpy(events.astype(np.float64))
    found = {graph.input_name: given}
    for neurons in graph.populations:
        found[neurons.name] = torch.zeros(*given.shape[:2], *neurons.shape, dtype=torch.float64)
    states = {n.name: (torch.zeros(1), torch.zeros(1)) for n in graph.populations}
    for now in range(len(given)):
        for neurons in graph.populations:
            current, voltage = states[neurons.name]
            current = current * _kept(neurons.current_decay, neurons.shape)
            for synapses in graph.projections:
                if synapses.target == neurons.name and now >= synapses.delay:
                    arrived = _mapped(synapses, found[synapses.source][now - synapses.delay])
                    current = current + arrived.reshape(-1, *neurons.shape)
            bias = torch.from_numpy(neurons.bias.astype(np.float64))
            bias = bias.view(-1, *[1] * (len(neurons.shape) - 1))
            voltage = voltage * _kept(neurons.voltage_decay, neurons.shape) + current + bias
            found[neurons.name][now] = voltage
            if neurons.spiking:
                fired = voltage > neurons.threshold
                found[neurons.name][now] = fired.double()
                voltage = voltage.masked_fill(fired, 0)
            states[neurons.name] = current, voltage
    return {name: values.numpy() for name, values in found.items()}


def _kept(decay: Any, shape: tuple[int, ...]) -> torch.Tensor:
    share = 1 - torch.as_tensor(decay, dtype=torch.float64)
    return share.view(-1, *[1] * (len(shape) - 1))


def _mapped(synapses: FloatProjection, values: torch.Tensor) -> torch.Tensor:
    weights = torch.from_numpy(synapses.weights.astype(np.float64))
    if synapses.kind == "dense":
        return functional.linear(values.flatten(1), weights)
    groups = synapses.groups
    if synapses.kind == "sum_pool":
        groups = values.shape[1]
        weights = weights.view(1, 1, 1, 1).expand(groups, 1, *synapses.kernel)
    return functional.conv2d(
        values, weights, None, synapses.stride, synapses.padding, synapses.dilation, groups
    )
