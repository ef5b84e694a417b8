"""Fused Triton kernels of neurons over all timesteps, in floats and in integers, for CUDA devices.

A program takes a block of neurons through all timesteps, its states in registers. The integer
forward pass is `pumice.runtime.arithmetic`, with the products of `lif_kernels`. Triton is an
optional package; its interpreter (TRITON_INTERPRET=1) runs the same kernels on the CPU.
"""

from collections.abc import Sequence
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from ...runtime.arithmetic import ALIGN_BITS, DECAY_BITS, DECAY_ONE, STATE_HALF
from .exact_sums import TOLERANCE, inexact_sums
from .lif_kernels import SURROGATES

BLOCK = 1024
PI = 3.141592653589793
_ALIGN = tl.constexpr(ALIGN_BITS)
_DECAY = tl.constexpr(DECAY_BITS)
_MASK = tl.constexpr(DECAY_ONE - 1)
_HALF = tl.constexpr(STATE_HALF)
_NEAR = tl.constexpr(TOLERANCE)
_PI = tl.constexpr(PI)

Kernel = Any  # pointers, numbers and constants of the kernel language


@triton.jit
def _decay_int(state: Kernel, factor: Kernel) -> Kernel:
    size = tl.abs(state)
    decayed = (size >> _DECAY) * factor + (((size & _MASK) * factor) >> _DECAY)
    return tl.where(state < 0, -decayed, decayed)


@triton.jit
def _forward_int_kernel(
    activation: Kernel,
    bias: Kernel,
    out: Kernel,
    voltages: Kernel,
    inexact: Kernel,
    total: Kernel,
    neurons: Kernel,
    timesteps: Kernel,
    current_factor: Kernel,
    voltage_factor: Kernel,
    threshold: Kernel,
    amount: Kernel,
    SPIKING: tl.constexpr,  # noqa: N803 (a constant of the kernel language)
    SOFT: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
) -> None:
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < total
    add = tl.load(bias + offsets % neurons, mask=inside, other=0)
    current = tl.zeros((BLOCK,), tl.int32)
    voltage = tl.zeros((BLOCK,), tl.int32)
    far = tl.zeros((BLOCK,), tl.int32)
    for now in range(timesteps):
        place = now * total + offsets
        value = tl.load(activation + place, mask=inside, other=0.0)
        nearest = tl.where(tl.abs(value) < 2 * _HALF, value, 0.0).to(tl.int32)  # NaN is far
        rest = value - nearest.to(tl.float32)
        nearest += (rest >= 0.5).to(tl.int32) - (rest <= -0.5).to(tl.int32)
        near = tl.abs(value - nearest.to(tl.float32)) <= _NEAR
        far += tl.where(near, 0, 1)
        current = _decay_int(current, current_factor) + (nearest << _ALIGN)
        current = tl.where(current > _HALF, current - 2 * _HALF, current)
        current = tl.where(current <= -_HALF, current + 2 * _HALF, current)
        voltage = _decay_int(voltage, voltage_factor) + current + add
        voltage = tl.minimum(tl.maximum(voltage, 1 - _HALF), _HALF - 1)
        tl.store(voltages + place, voltage.to(tl.float32), mask=inside)
        if SPIKING:
            spikes = voltage > threshold
            tl.store(out + place, spikes.to(tl.float32), mask=inside)
            voltage = tl.where(spikes, voltage - amount if SOFT else 0, voltage)
        else:
            tl.store(out + place, voltage.to(tl.float32), mask=inside)
    tl.store(inexact + tl.program_id(0), tl.sum(tl.where(inside, far, 0), axis=0))


@triton.jit
def _forward_float_kernel(
    activation: Kernel,
    bias: Kernel,
    out: Kernel,
    voltages: Kernel,
    total: Kernel,
    neurons: Kernel,
    timesteps: Kernel,
    current_factor: Kernel,
    voltage_factor: Kernel,
    threshold: Kernel,
    SPIKING: tl.constexpr,  # noqa: N803
    SOFT: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
) -> None:
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < total
    add = tl.load(bias + offsets % neurons, mask=inside, other=0.0)
    current = tl.zeros((BLOCK,), tl.float32)
    voltage = tl.zeros((BLOCK,), tl.float32)
    for now in range(timesteps):
        place = now * total + offsets
        current = current * current_factor + tl.load(activation + place, mask=inside, other=0.0)
        voltage = voltage * voltage_factor + current + add
        tl.store(voltages + place, voltage, mask=inside)
        if SPIKING:
            spikes = voltage > threshold
            tl.store(out + place, spikes.to(tl.float32), mask=inside)
            voltage = tl.where(spikes, voltage - threshold if SOFT else 0.0, voltage)
        else:
            tl.store(out + place, voltage, mask=inside)


@triton.jit
def _backward_kernel(
    gradient: Kernel,
    voltages: Kernel,
    grad_activation: Kernel,
    grad_bias: Kernel,
    total: Kernel,
    timesteps: Kernel,
    current_factor: Kernel,
    voltage_factor: Kernel,
    threshold: Kernel,
    unit: Kernel,
    SPIKING: tl.constexpr,  # noqa: N803
    SOFT: tl.constexpr,  # noqa: N803
    SURROGATE: tl.constexpr,  # noqa: N803
    BLOCK: tl.constexpr,  # noqa: N803
) -> None:
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < total
    grad_current = tl.zeros((BLOCK,), tl.float32)
    grad_voltage = tl.zeros((BLOCK,), tl.float32)
    sums = tl.zeros((BLOCK,), tl.float32)
    for step in range(timesteps):
        place = (timesteps - 1 - step) * total + offsets
        grad = tl.load(gradient + place, mask=inside, other=0.0)
        carry = voltage_factor * grad_voltage
        if SPIKING:
            voltage = tl.load(voltages + place, mask=inside, other=0.0)
            x = voltage / threshold - 1
            if SURROGATE == 0:
                slope = tl.maximum(1 - tl.abs(x), 0.0)
            elif SURROGATE == 1:
                slope = (tl.abs(x) < 0.5).to(tl.float32)
            elif SURROGATE == 2:
                slope = 1 / (1 + (_PI * x) * (_PI * x))
            else:
                slope = 1 / ((1 + 2 * tl.abs(x)) * (1 + 2 * tl.abs(x)))
            grad = grad * slope / threshold
            if not SOFT:
                carry = tl.where(voltage <= threshold, carry, 0.0)
        grad_voltage = grad + carry
        grad_current = grad_voltage + current_factor * grad_current
        tl.store(grad_activation + place, grad_current * unit, mask=inside)
        sums += grad_voltage
    tl.store(grad_bias + offsets, sums, mask=inside)


def forward(
    activation: Tensor,
    bias: Tensor,
    threshold: float,
    decays: Sequence[int],
    spiking: bool,
    soft: bool,
    integers: bool,
) -> tuple[Tensor, Tensor]:
    """Outputs and voltages before the reset; arguments as of `lif_ops.lif_forward`.

    `activation` is float32, its neurons together in memory; `bias` is that of each neuron, in the
    order of memory.
    """
    out, voltages = torch.empty_like(activation), torch.empty_like(activation)
    timesteps, total = activation.shape[0], activation[0].numel()
    grid = (triton.cdiv(total, BLOCK),)
    factors: tuple[float, ...] = tuple(DECAY_ONE - decay for decay in decays)
    sizes = total, len(bias), timesteps
    if not integers:
        factors = tuple(factor / DECAY_ONE for factor in factors)
        _forward_float_kernel[grid](
            activation, bias.float(), out, voltages, *sizes, *factors, threshold,
            SPIKING=spiking, SOFT=soft, BLOCK=BLOCK,
        )  # fmt: skip
        return out, voltages
    inexact = torch.zeros(grid, dtype=torch.int32, device=activation.device)
    level = int(threshold)
    _forward_int_kernel[grid](
        activation, bias.to(torch.int32), out, voltages, inexact, *sizes, *factors, level,
        max(level, 1 << ALIGN_BITS), SPIKING=spiking, SOFT=soft, BLOCK=BLOCK,
    )  # fmt: skip
    if int(inexact.sum()):
        raise inexact_sums(str(activation.device))
    return out, voltages


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
    grad_activation, grad_bias = torch.empty_like(voltages), torch.empty_like(voltages[0])
    total = voltages[0].numel()
    factors = tuple(1 - decay / DECAY_ONE for decay in decays)
    _backward_kernel[(triton.cdiv(total, BLOCK),)](
        gradient, voltages, grad_activation, grad_bias, total, len(voltages), *factors, threshold,
        unit, SPIKING=spiking, SOFT=soft, SURROGATE=SURROGATES.index(surrogate), BLOCK=BLOCK,
    )  # fmt: skip
    return grad_activation, grad_bias
