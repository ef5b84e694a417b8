"""Leaky integrate-and-fire neurons in torch, one timestep at a time, on any device and type."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ...runtime.arithmetic import ALIGN_BITS, DECAY_BITS, DECAY_ONE, STATE_HALF
from .exact_sums import round_sums


def membrane_update(
    current: Tensor, voltage: Tensor, increment: Tensor, bias: Tensor, decays: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Update current and voltage by one step, before spikes and reset; integers stay integers.

    `decays` are those of the current and of the voltage, in 1/4096.
    """
    current = apply_decay(current, decays[0])
    if increment.is_floating_point():
        current = current + increment
        return current, apply_decay(voltage, decays[1]) + current + bias
    current = current + (increment << ALIGN_BITS)
    over = (current > STATE_HALF).long() - (current <= -STATE_HALF).long()
    current = current - over * (2 * STATE_HALF)
    voltage = apply_decay(voltage, decays[1]) + current + bias
    return current, voltage.clamp(1 - STATE_HALF, STATE_HALF - 1)


def apply_decay(state: Tensor, decay: int) -> Tensor:
    """Multiply `state` by (4096 - decay) / 4096, integers rounded towards zero."""
    if state.is_floating_point():
        return state * (1 - decay / DECAY_ONE)
    decayed = state.abs() * (DECAY_ONE - decay) >> DECAY_BITS
    return torch.where(state < 0, -decayed, decayed)


def forward(
    activation: Tensor,
    bias: Tensor,
    threshold: float,
    decays: Sequence[int],
    spiking: bool,
    soft: bool,
    integers: bool,
) -> tuple[Tensor, Tensor]:
    """Outputs and voltages before the reset; arguments as of `lif_ops.lif_forward`."""
    dtype = torch.int64 if integers else activation.dtype
    values = round_sums(activation).to(dtype) if integers else activation
    bias = bias.to(dtype)
    current = torch.zeros_like(values[0])
    voltage = torch.zeros_like(current)
    out, voltages = torch.empty_like(activation), torch.empty_like(activation)
    for now, increment in enumerate(values):
        current, voltage = membrane_update(current, voltage, increment, bias, decays)
        voltages[now] = voltage
        if spiking:
            spikes = voltage > threshold
            voltage = reset_voltage(voltage, spikes, threshold, soft)
            out[now] = spikes
        else:
            out[now] = voltage
    return out, voltages


def reset_voltage(voltage: Tensor, spikes: Tensor, threshold: float, soft: bool) -> Tensor:
    """Reset the voltage of neurons that spike: to zero, or by subtraction of the threshold.

    In integers, at least one weight unit is subtracted, as in `convert.quantize.scales`.
    """
    if not soft:
        return voltage.masked_fill(spikes, 0)
    if voltage.is_floating_point():
        return voltage - spikes * threshold
    return voltage - spikes * max(int(threshold), 1 << ALIGN_BITS)


def surrogate_derivative(x: Tensor, surrogate: str) -> Tensor:
    """Surrogate derivative at `x` = voltage / threshold - 1; see `NeuronConfig`."""
    if surrogate == "triangle":
        return (1 - x.abs()).clamp(min=0)
    if surrogate == "rectangle":
        return (x.abs() < 0.5).to(x.dtype)
    if surrogate == "atan":
        return 1 / (1 + (torch.pi * x) ** 2)
    return 1 / (1 + 2 * x.abs()) ** 2


def backward(
    gradient: Tensor,
    voltages: Tensor,
    threshold: float,
    decays: Sequence[int],
    spiking: bool,
    soft: bool,
    surrogate: str,
    unit: float,
) -> tuple[Tensor, Tensor]:
    """Gradients of activation and bias; arguments as of `lif_ops.lif_backward`."""
    grad_activation = torch.empty_like(gradient)
    grad_current = torch.zeros_like(gradient[0])
    grad_voltage, grad_bias = torch.zeros_like(grad_current), torch.zeros_like(grad_current)
    for now in range(gradient.shape[0] - 1, -1, -1):
        carry = grad_voltage * (1 - decays[1] / DECAY_ONE)
        grad = gradient[now]
        if spiking:
            ratio = voltages[now] / threshold
            grad = grad * surrogate_derivative(ratio - 1, surrogate) / threshold
            carry = carry if soft else carry * (voltages[now] <= threshold)
        grad_voltage = grad + carry
        grad_current = grad_voltage + grad_current * (1 - decays[0] / DECAY_ONE)
        grad_activation[now] = grad_current * unit
        grad_bias += grad_voltage
    return grad_activation, grad_bias
