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
    states = {n.name: (torch.zeros(1),) * 3 for n in network.populations}
    for step in range(len(inputs)):
        for population in network.populations:
            current, before, wait = states[population.name]
            current = current * _decay_factor(population.current_decay, population.shape)
            for projection in network.projections:
                if projection.target == population.name and step >= projection.delay:
                    summed = _apply(projection, outputs[projection.source][step - projection.delay])
                    current = current + summed.reshape(-1, *population.shape)
            bias = torch.from_numpy(population.bias.astype(np.float64))
            bias = bias.view(-1, *[1] * (len(population.shape) - 1))
            voltage = (
                before * _decay_factor(population.voltage_decay, population.shape) + current + bias
            )
            amount = 1 - _decay_factor(population.reset_value, population.shape)
            if population.reset == "delayed_subtract":
                voltage = voltage - amount * (before > population.threshold)
            voltage = voltage.maximum(1 - _decay_factor(population.min_voltage, population.shape))
            outputs[population.name][step] = voltage
            if population.spiking:
                spikes = torch.zeros_like(voltage)
                for number in range(population.max_spikes):
                    spikes += voltage > population.threshold + number * amount
                spikes *= wait == 0
                outputs[population.name][step] = spikes
                fired = spikes > 0
                after = {
                    "zero": voltage.masked_fill(fired, 0),
                    "value": torch.where(fired, amount, voltage),
                    "subtract": voltage - spikes * amount,
                    "delayed_subtract": voltage,
                }[population.reset]
                voltage = torch.where(wait > 0, before, after)
                wait = torch.where(fired, float(population.refractory), (wait - 1).clamp(min=0))
            states[population.name] = current, voltage, wait
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
