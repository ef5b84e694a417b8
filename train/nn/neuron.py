"""Leaky integrate-and-fire neurons over many timesteps, with surrogate gradients.

The forward pass in integers is `pumice.runtime.arithmetic`, bit for bit; in floats it is the same
neuron model without rounding. The backward pass is back-propagation through time with a surrogate
derivative of the spike, a detached reset and a straight-through estimate of all rounding.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ...runtime.arithmetic import ALIGN_BITS, DECAY_BITS, DECAY_ONE, STATE_HALF
from . import lif_kernels as kernels

Surrogate = Literal["triangle", "rectangle", "atan", "fast_sigmoid"]


@dataclass(frozen=True)
class NeuronConfig:
    """Neuron model of a layer: current-based leaky integrate-and-fire, or an integrator.

    Attributes:
        current_decay: Fraction of the current lost per step, in 1/4096.
        voltage_decay: Fraction of the voltage lost per step, in 1/4096.
        surrogate: Derivative of the spike by x = voltage / threshold - 1, 1 at x = 0: "triangle"
            max(0, 1 - |x|) (ETC), "rectangle" 1 for |x| < 1/2, "atan" 1 / (1 + (pi x)^2),
            "fast_sigmoid" 1 / (1 + 2 |x|)^2.
        spiking: False for an integrator, which outputs its voltage.
    """

    current_decay: int = DECAY_ONE
    voltage_decay: int = DECAY_ONE // 2
    surrogate: Surrogate = "triangle"
    spiking: bool = True


def lif(
    activation: Tensor, bias: Tensor, threshold: float, neuron: NeuronConfig, integers: bool
) -> Tensor:
    """Run a layer of neurons over all timesteps.

    Args:
        activation: Input of the neurons, (timesteps, batch, *shape).
        bias: Added to the voltage each step; broadcasts to `shape`.
        threshold: Firing threshold.
        neuron: Neuron model.
        integers: Integer arithmetic. `activation` and `threshold` then hold integers in weight
            units, `bias` and voltages in 1/64 of them, all in floating-point tensors.

    Returns:
        Spikes (0 or 1), or the voltages of an integrator, at every timestep.
    """
    unit = float(1 << ALIGN_BITS) if integers else 1.0
    level = threshold * unit if neuron.spiking else 1.0
    apply: Any = _LifFunction.apply
    result: Tensor = apply(activation, bias, max(level, 1e-30), neuron, integers, unit)
    return result


class _LifFunction(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        activation: Tensor,
        bias: Tensor,
        threshold: float,
        neuron: NeuronConfig,
        integers: bool,
        unit: float,
    ) -> Tensor:
        out, voltages = run_forward(activation, bias, threshold, neuron, integers)
        ctx.save_for_backward(voltages)
        ctx.settings = (threshold, neuron, unit, bias.shape)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (voltages,) = ctx.saved_tensors
        threshold, neuron, unit, bias_shape = ctx.settings
        grad_activation, grad_bias = run_backward(gradients[0], voltages, threshold, unit, neuron)
        grad_bias_sum = grad_bias.sum_to_size(bias_shape) if ctx.needs_input_grad[1] else None
        return grad_activation, grad_bias_sum, None, None, None, None


def run_forward(
    activation: Tensor, bias: Tensor, threshold: float, neuron: NeuronConfig, integers: bool
) -> tuple[Tensor, Tensor]:
    """Outputs and voltages before the reset, (timesteps, batch, *shape), without gradients.

    `threshold` is in 1/64 weight units where `integers`.
    """
    run = _forward_numba if _on_cpu(activation) else _forward_torch
    return run(activation, bias, threshold, neuron, integers)


def run_backward(
    gradient: Tensor, voltages: Tensor, threshold: float, unit: float, neuron: NeuronConfig
) -> tuple[Tensor, Tensor]:
    """Gradients of the activation and, summed over time, of the bias, from that of the outputs."""
    run = _backward_numba if _on_cpu(gradient) else _backward_torch
    return run(gradient, voltages, threshold, unit, neuron)


def _on_cpu(values: Tensor) -> bool:
    return values.device.type == "cpu" and values.dtype == torch.float32


def _forward_numba(
    activation: Tensor, bias: Tensor, threshold: float, neuron: NeuronConfig, integers: bool
) -> tuple[Tensor, Tensor]:
    activation = activation.detach().contiguous()
    out, voltages = torch.empty_like(activation), torch.empty_like(activation)
    dtype: Any = np.int32 if integers else np.float32
    factor_unit = 1.0 if integers else 1.0 / DECAY_ONE
    flat_bias = bias.detach().expand(activation.shape[2:]).reshape(-1).numpy().astype(dtype)
    forward = kernels.lif_forward_int if integers else kernels.lif_forward_float
    forward(
        _flatten_neurons(activation),
        flat_bias,
        dtype((DECAY_ONE - neuron.current_decay) * factor_unit),
        dtype((DECAY_ONE - neuron.voltage_decay) * factor_unit),
        dtype(threshold),
        neuron.spiking,
        _flatten_neurons(out),
        _flatten_neurons(voltages),
    )
    return out, voltages


def _backward_numba(
    gradient: Tensor, voltages: Tensor, threshold: float, unit: float, neuron: NeuronConfig
) -> tuple[Tensor, Tensor]:
    gradient = gradient.contiguous()
    grad_activation = torch.empty_like(gradient)
    grad_bias = torch.empty_like(gradient[0])
    kernels.lif_backward(
        _flatten_neurons(gradient),
        _flatten_neurons(voltages),
        np.float32(1 - neuron.current_decay / DECAY_ONE),
        np.float32(1 - neuron.voltage_decay / DECAY_ONE),
        np.float32(threshold),
        np.float32(unit),
        neuron.spiking,
        kernels.SURROGATES.index(neuron.surrogate),
        _flatten_neurons(grad_activation),
        grad_bias.reshape(grad_bias.shape[0], -1).numpy(),
    )
    return grad_activation, grad_bias


def _flatten_neurons(tensor: Tensor) -> Any:
    return tensor.reshape(tensor.shape[0], tensor.shape[1], -1).numpy()


def membrane_update(
    current: Tensor, voltage: Tensor, increment: Tensor, bias: Tensor, neuron: NeuronConfig
) -> tuple[Tensor, Tensor]:
    """Update current and voltage by one step, before spikes and reset; integers stay integers."""
    current = _decay(current, neuron.current_decay)
    if increment.is_floating_point():
        current = current + increment
        return current, _decay(voltage, neuron.voltage_decay) + current + bias
    current = current + (increment << ALIGN_BITS)
    over = (current > STATE_HALF).long() - (current <= -STATE_HALF).long()
    current = current - over * (2 * STATE_HALF)
    voltage = _decay(voltage, neuron.voltage_decay) + current + bias
    return current, voltage.clamp(1 - STATE_HALF, STATE_HALF - 1)


def _decay(state: Tensor, decay: int) -> Tensor:
    if state.is_floating_point():
        return state * (1 - decay / DECAY_ONE)
    decayed = state.abs() * (DECAY_ONE - decay) >> DECAY_BITS
    return torch.where(state < 0, -decayed, decayed)


def _forward_torch(
    activation: Tensor, bias: Tensor, threshold: float, neuron: NeuronConfig, integers: bool
) -> tuple[Tensor, Tensor]:
    """The same in torch, on any device and floating type, one timestep at a time."""
    dtype = torch.int64 if integers else activation.dtype
    bias = bias.detach().to(dtype)
    current = torch.zeros_like(activation[0], dtype=dtype)
    voltage = torch.zeros_like(current)
    out, voltages = torch.empty_like(activation), torch.empty_like(activation)
    for now in range(activation.shape[0]):
        increment = activation[now].detach().to(dtype)
        current, voltage = membrane_update(current, voltage, increment, bias, neuron)
        voltages[now] = voltage
        if neuron.spiking:
            spikes = voltage > threshold
            voltage = voltage.masked_fill(spikes, 0)
            out[now] = spikes
        else:
            out[now] = voltage
    return out, voltages


def surrogate_derivative(x: Tensor, surrogate: Surrogate) -> Tensor:
    """Surrogate derivative at `x` = voltage / threshold - 1; see `NeuronConfig`."""
    if surrogate == "triangle":
        return (1 - x.abs()).clamp(min=0)
    if surrogate == "rectangle":
        return (x.abs() < 0.5).to(x.dtype)
    if surrogate == "atan":
        return 1 / (1 + (torch.pi * x) ** 2)
    return 1 / (1 + 2 * x.abs()) ** 2


def _backward_torch(
    gradient: Tensor, voltages: Tensor, threshold: float, unit: float, neuron: NeuronConfig
) -> tuple[Tensor, Tensor]:
    grad_activation = torch.empty_like(gradient)
    grad_current = torch.zeros_like(gradient[0])
    grad_voltage, grad_bias = torch.zeros_like(grad_current), torch.zeros_like(grad_current)
    for now in range(gradient.shape[0] - 1, -1, -1):
        carry = grad_voltage * (1 - neuron.voltage_decay / DECAY_ONE)
        grad = gradient[now]
        if neuron.spiking:
            ratio = voltages[now] / threshold
            grad = grad * surrogate_derivative(ratio - 1, neuron.surrogate) / threshold
            carry = carry * (voltages[now] <= threshold)
        grad_voltage = grad + carry
        grad_current = grad_voltage + grad_current * (1 - neuron.current_decay / DECAY_ONE)
        grad_activation[now] = grad_current * unit
        grad_bias += grad_voltage
    return grad_activation, grad_bias
