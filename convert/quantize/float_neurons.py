"""One timestep of the neurons of a float network, before any rounding."""

import numpy as np
import torch
from torch import Tensor

from .float_network import FloatPopulation
from .scales import delta_exponent

# Current, voltage, and timesteps left of a refractory period; of an adaptive threshold its raise,
# and the refractory value.
State = tuple[Tensor, ...]


def initial_state(like: Tensor) -> State:
    """Return the states before the first timestep, zeros of the shape and type of `like`."""
    zero = torch.zeros_like(like)
    return zero, zero, zero, zero


def float_step(population: FloatPopulation, state: State, total: Tensor) -> tuple[State, Tensor]:
    """Update neurons by one timestep.

    Args:
        population: The neurons.
        state: Their states, (batch, *shape) each.
        total: Weighted input sums, of the same shape and the type that the states have.

    Returns:
        The next states, and the number of spikes, or the voltage of an integrator; of sigma-delta
        neurons the messages.
    """
    if population.messages:
        return _message_step(population, state, total)
    _, before, waiting, refractory = state
    current, voltage = charge(population, state, total)
    if not population.spiking:
        return (current, voltage, waiting, refractory), voltage
    if population.reset == "adaptive":
        raised, refractory, spikes = _adapt(population, state, voltage)
        return (current, voltage, raised, refractory), spikes
    amount = _view(population.reset_value, population, total)
    held = waiting > 0
    spikes = ((voltage > population.threshold) & ~held).to(total.dtype)
    if population.max_spikes > 1:
        spikes = spikes * count_passed(population, voltage, amount)
    after = torch.where(held, before, reset_voltage(population, voltage, spikes, amount))
    waiting = torch.where(spikes > 0, float(population.refractory), (waiting - 1).clamp(min=0))
    return (current, after, waiting, refractory), spikes


def _adapt(
    population: FloatPopulation, state: State, voltage: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Update the raise of an adaptive threshold and the refractory value; return the spikes."""
    raised = state[2] * (1 - _view(population.threshold_decay, population, voltage))
    refractory = state[3] * (1 - _view(population.refractory_decay, population, voltage))
    level = population.threshold + raised
    spikes = (voltage >= level + refractory).to(voltage.dtype)
    raised = raised + spikes * _view(population.threshold_step, population, voltage)
    return raised, refractory + spikes * 2 * level, spikes


def _message_step(population: FloatPopulation, state: State, total: Tensor) -> tuple[State, Tensor]:
    """Update sigma-delta neurons; their states are the sum and the activation as last sent."""
    sigma, sent, *unused = state
    if population.messages == "delta":
        unit = 2.0 ** -(delta_exponent(population.threshold) + 1)
        sigma = activated = torch.floor(total / unit) * unit
    else:
        sigma = sigma + total
        activated = sigma
    if population.messages == "sigma":
        return (sigma, sent, *unused), sigma
    if population.messages == "sigma_delta":
        activated = (sigma + _view(population.bias, population, total)).clamp(min=0)
    delta = activated - sent
    changed = delta.abs() >= population.threshold
    return (
        (sigma, torch.where(changed, activated, sent), *unused),
        torch.where(changed, delta, 0.0),
    )


def charge(population: FloatPopulation, state: State, total: Tensor) -> tuple[Tensor, Tensor]:
    """Update current and voltage, up to the spike."""
    current, before, *_ = state
    current = current * (1 - _view(population.current_decay, population, total)) + total
    voltage = before * (1 - _view(population.voltage_decay, population, total)) + current
    voltage = voltage + _view(population.bias, population, total)
    if population.reset == "delayed_subtract":
        amount = _view(population.reset_value, population, total)
        voltage = voltage - (before > population.threshold) * amount
    return current, torch.maximum(voltage, _view(population.min_voltage, population, total))


def count_passed(population: FloatPopulation, voltage: Tensor, amount: Tensor) -> Tensor:
    """Count how often a voltage above the threshold passes it: v > threshold + n amount."""
    further = torch.ceil((voltage - population.threshold) / amount)
    return further.clamp(1, population.max_spikes)


def reset_voltage(
    population: FloatPopulation, voltage: Tensor, spikes: Tensor, amount: Tensor
) -> Tensor:
    """Return the voltage after `spikes`."""
    if population.reset == "delayed_subtract":
        return voltage
    if population.reset == "subtract":
        return voltage - spikes * amount
    return torch.where(spikes > 0, amount if population.reset == "value" else 0.0, voltage)


def _view(values: object, population: FloatPopulation, like: Tensor) -> Tensor:
    """Values, one or one per channel or neuron, as a tensor that broadcasts to the population."""
    tensor = torch.tensor(np.array(values), dtype=like.dtype)  # a copy: arrays are read-only
    if tensor.numel() == like[0].numel():
        return tensor.reshape(population.shape)
    return tensor.reshape(-1, *[1] * (len(population.shape) - 1))
