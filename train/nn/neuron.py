"""A layer of neurons over many time steps, with a gradient.

Forward in integers this is `pumice.runtime.arithmetic`, bit for bit; in real numbers the same rule
without rounding. Backward it is back-propagation through time with a surrogate derivative for the
spike, a detached reset and a straight-through estimate for all rounding.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ...runtime.arithmetic import (
    ALIGN_BITS,
    DECAY_BITS,
    DECAY_ONE,
    STATE_HALF,
)
from . import lif_kernels as kernels

Surrogate = Literal["triangle", "rectangle", "atan", "fast_sigmoid"]


@dataclass(frozen=True)
class NeuronConfig:
    """What a layer's neurons do: decays (share lost a step, in 1/4096), surrogate, spiking or not.

    Surrogate derivatives, of x = voltage / threshold - 1, all 1 at x = 0: `triangle` max(0, 1-|x|)
    (ETC), `rectangle` 1 for |x| < 1/2, `atan` 1 / (1 + (pi x)^2), `fast_sigmoid` 1 / (1 + 2|x|)^2.
    """

    current_decay: int = DECAY_ONE
    voltage_decay: int = DECAY_ONE // 2
    surrogate: Surrogate = "triangle"
    spiking: bool = True


def lif(
    activation: Tensor, bias: Tensor, threshold: float, neuron: NeuronConfig, integers: bool
) -> Tensor:
    """Return spikes (0 or 1), or voltages where the rule does not spike, at every step.

    `activation` is (timesteps, batch, *shape); `bias` broadcasts to `shape`, is added each step.
    With `integers`, `activation` holds whole numbers in weight units, `threshold` likewise, `bias`
    and the voltages whole numbers in 1/64 of them, all as floating-point tensors.
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
        level: float,
        rule: NeuronConfig,
        integers: bool,
        unit: float,
    ) -> Tensor:
        on_cpu = activation.device.type == "cpu" and activation.dtype == torch.float32
        run = _forward_numba if on_cpu else _forward_torch
        out, voltages = run(activation, bias, level, rule, integers)
        ctx.save_for_backward(voltages)
        ctx.settings = (level, rule, unit, bias.shape, on_cpu)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (voltages,) = ctx.saved_tensors
        level, rule, unit, bias_shape, on_cpu = ctx.settings
        back = _backward_numba if on_cpu else _backward_torch
        by_activation, by_bias = back(gradients[0], voltages, level, unit, rule)
        needed = by_bias.sum_to_size(bias_shape) if ctx.needs_input_grad[1] else None
        return by_activation, needed, None, None, None, None


def _forward_numba(
    activation: Tensor, bias: Tensor, level: float, rule: NeuronConfig, integers: bool
) -> tuple[Tensor, Tensor]:
    activation = activation.detach().contiguous()
    out, voltages = torch.empty_like(activation), torch.empty_like(activation)
    number: Any = np.int32 if integers else np.float32
    share = 1.0 if integers else 1.0 / DECAY_ONE
    spread = bias.detach().expand(activation.shape[2:]).reshape(-1).numpy().astype(number)
    forward = kernels.lif_forward_int if integers else kernels.lif_forward_float
    forward(
        _flatten_neurons(activation),
        spread,
        number((DECAY_ONE - rule.current_decay) * share),
        number((DECAY_ONE - rule.voltage_decay) * share),
        number(level),
        rule.spiking,
        _flatten_neurons(out),
        _flatten_neurons(voltages),
    )
    return out, voltages


def _backward_numba(
    gradient: Tensor, voltages: Tensor, level: float, unit: float, rule: NeuronConfig
) -> tuple[Tensor, Tensor]:
    gradient = gradient.contiguous()
    by_activation = torch.empty_like(gradient)
    by_bias = torch.empty_like(gradient[0])
    kernels.lif_backward(
        _flatten_neurons(gradient),
        _flatten_neurons(voltages),
        np.float32(1 - rule.current_decay / DECAY_ONE),
        np.float32(1 - rule.voltage_decay / DECAY_ONE),
        np.float32(level),
        np.float32(unit),
        rule.spiking,
        kernels.SURROGATES.index(rule.surrogate),
        _flatten_neurons(by_activation),
        by_bias.reshape(by_bias.shape[0], -1).numpy(),
    )
    return by_activation, by_bias


def _flatten_neurons(tensor: Tensor) -> Any:
    return tensor.reshape(tensor.shape[0], tensor.shape[1], -1).numpy()


def membrane_update(
    current: Tensor, voltage: Tensor, arriving: Tensor, bias: Tensor, rule: NeuronConfig
) -> tuple[Tensor, Tensor]:
    """Return the next current, and the voltage that decides who fires; integers stay integers."""
    current = _decay(current, rule.current_decay)
    if arriving.is_floating_point():
        current = current + arriving
        return current, _decay(voltage, rule.voltage_decay) + current + bias
    current = current + (arriving << ALIGN_BITS)
    over = (current > STATE_HALF).long() - (current <= -STATE_HALF).long()
    current = current - over * (2 * STATE_HALF)
    voltage = _decay(voltage, rule.voltage_decay) + current + bias
    return current, voltage.clamp(1 - STATE_HALF, STATE_HALF - 1)


def _decay(state: Tensor, decay: int) -> Tensor:
    if state.is_floating_point():
        return state * (1 - decay / DECAY_ONE)
    kept = state.abs() * (DECAY_ONE - decay) >> DECAY_BITS
    return torch.where(state < 0, -kept, kept)


def _forward_torch(
    activation: Tensor, bias: Tensor, level: float, rule: NeuronConfig, integers: bool
) -> tuple[Tensor, Tensor]:
    """The same on any device and floating type, one step at a time."""
    number = torch.int64 if integers else activation.dtype
    bias = bias.detach().to(number)
    current = torch.zeros_like(activation[0], dtype=number)
    voltage = torch.zeros_like(current)
    out, voltages = torch.empty_like(activation), torch.empty_like(activation)
    for now in range(activation.shape[0]):
        arriving = activation[now].detach().to(number)
        current, voltage = membrane_update(current, voltage, arriving, bias, rule)
        voltages[now] = voltage
        if rule.spiking:
            spikes = voltage > level
            voltage = voltage.masked_fill(spikes, 0)
            out[now] = spikes
        else:
            out[now] = voltage
    return out, voltages


def surrogate_derivative(x: Tensor, surrogate: Surrogate) -> Tensor:
    """Return the surrogate derivative at `x`, voltage / threshold - 1; see `Rule`."""
    if surrogate == "triangle":
        return (1 - x.abs()).clamp(min=0)
    if surrogate == "rectangle":
        return (x.abs() < 0.5).to(x.dtype)
    if surrogate == "atan":
        return 1 / (1 + (torch.pi * x) ** 2)
    return 1 / (1 + 2 * x.abs()) ** 2


def _backward_torch(
    gradient: Tensor, voltages: Tensor, level: float, unit: float, rule: NeuronConfig
) -> tuple[Tensor, Tensor]:
    by_activation = torch.empty_like(gradient)
    by_current = torch.zeros_like(gradient[0])
    by_voltage, by_bias = torch.zeros_like(by_current), torch.zeros_like(by_current)
    for now in range(gradient.shape[0] - 1, -1, -1):
        carried = by_voltage * (1 - rule.voltage_decay / DECAY_ONE)
        arriving = gradient[now]
        if rule.spiking:
            arriving = (
                arriving * surrogate_derivative(voltages[now] / level - 1, rule.surrogate) / level
            )
            carried = carried * (voltages[now] <= level)
        by_voltage = arriving + carried
        by_current = by_voltage + by_current * (1 - rule.current_decay / DECAY_ONE)
        by_activation[now] = by_current * unit
        by_bias += by_voltage
    return by_activation, by_bias
