"""Simulate a float network in PyTorch, before any rounding: the equations of `float_network`."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .float_network import FloatNetwork, FloatPopulation, FloatProjection
from .float_neurons import float_step, initial_state

Float32Array = NDArray[np.float32]


@torch.no_grad()
def simulate_float_network(
    network: FloatNetwork, events: NDArray[np.uint8]
) -> dict[str, Float32Array]:
    """Simulate a float network.

    Args:
        network: The network.
        events: uint8 (timesteps, batch, *input shape).

    Returns:
        Output of each population by name, float32 (timesteps, batch, *shape): numbers of spikes, or
        the voltages of an integrator.
    """
    inputs = torch.from_numpy(events.astype(np.float32))
    outputs = {network.input_name: inputs}
    for population in network.populations:
        outputs[population.name] = torch.zeros(*inputs.shape[:2], *population.shape)
    incoming = {
        population.name: [
            (p, _weight_tensor(p)) for p in network.projections if p.target == population.name
        ]
        for population in network.populations
    }
    states = {p.name: initial_state(outputs[p.name][0]) for p in network.populations}
    for step in range(len(inputs)):
        for population in network.populations:
            total = _sum_inputs(population, incoming[population.name], outputs, step)
            total = total.expand(len(inputs[0]), *population.shape)
            states[population.name], out = float_step(population, states[population.name], total)
            outputs[population.name][step] = out
    return {name: values.numpy() for name, values in outputs.items()}


def _sum_inputs(
    population: FloatPopulation,
    incoming: list[tuple[FloatProjection, Tensor]],
    outputs: Mapping[str, Tensor],
    step: int,
) -> Tensor:
    total = torch.zeros(1)
    for projection, weights in incoming:
        if step >= projection.delay:
            values = outputs[projection.source][step - projection.delay]
            summed = apply_projection(projection, weights, values)
            total = total + summed.reshape(-1, *population.shape)
    return total


def _weight_tensor(projection: FloatProjection) -> Tensor:
    return torch.from_numpy(np.array(projection.weights, np.float32))


def apply_projection(projection: FloatProjection, weights: Tensor, values: Tensor) -> Tensor:
    """Apply a projection with other `weights` to `values` (batch, *source shape)."""
    if projection.kind == "dense":
        return functional.linear(values.flatten(1), weights)
    groups = projection.groups
    if projection.kind == "sum_pool":
        groups = values.shape[1]
        weights = weights.view(1, 1, 1, 1).expand(groups, 1, *projection.kernel)
    return functional.conv2d(
        values, weights, None, projection.stride, projection.padding, projection.dilation, groups
    )
