"""Independent reference for float networks, in double precision."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from pumice.convert.quantize.float_network import FloatNetwork, FloatProjection


def simulate(network: FloatNetwork, events: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """Spikes, or voltages of integrators, of each population: (timesteps, batch, *shape)."""
    inputs = torch.from_numpy(events.astype(np.float64))
    outputs = {network.input_name: inputs}
    for population in network.populations:
        outputs[population.name] = torch.zeros(
            *inputs.shape[:2], *population.shape, dtype=torch.float64
        )
    states = {n.name: (torch.zeros(1), torch.zeros(1)) for n in network.populations}
    for step in range(len(inputs)):
        for population in network.populations:
            current, voltage = states[population.name]
            current = current * _decay_factor(population.current_decay, population.shape)
            for projection in network.projections:
                if projection.target == population.name and step >= projection.delay:
                    summed = _apply(projection, outputs[projection.source][step - projection.delay])
                    current = current + summed.reshape(-1, *population.shape)
            bias = torch.from_numpy(population.bias.astype(np.float64))
            bias = bias.view(-1, *[1] * (len(population.shape) - 1))
            voltage = (
                voltage * _decay_factor(population.voltage_decay, population.shape) + current + bias
            )
            outputs[population.name][step] = voltage
            if population.spiking:
                spikes = voltage > population.threshold
                outputs[population.name][step] = spikes.double()
                voltage = voltage.masked_fill(spikes, 0)
            states[population.name] = current, voltage
    return {name: values.numpy() for name, values in outputs.items()}


def _decay_factor(decay: Any, shape: tuple[int, ...]) -> torch.Tensor:
    factor = 1 - torch.as_tensor(decay, dtype=torch.float64)
    return factor.view(-1, *[1] * (len(shape) - 1))


def _apply(projection: FloatProjection, values: torch.Tensor) -> torch.Tensor:
    weights = torch.from_numpy(projection.weights.astype(np.float64))
    if projection.kind == "dense":
        return functional.linear(values.flatten(1), weights)
    groups = projection.groups
    if projection.kind == "sum_pool":
        groups = values.shape[1]
        weights = weights.view(1, 1, 1, 1).expand(groups, 1, *projection.kernel)
    return functional.conv2d(
        values, weights, None, projection.stride, projection.padding, projection.dilation, groups
    )
