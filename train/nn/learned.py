"""Learned neuron parameters: decays and threshold of a layer, trained with its weights.

Fang et al., "Incorporating learnable membrane time constant to enhance learning of spiking neural
networks", ICCV 2021 (PLIF), learn the decay; here threshold and both decays may be learned. Decays
are rounded to 1/4096 in the forward pass, in floats too, with a straight-through gradient.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ...convert.quantize.scales import DECAY_ONE, quantize_decay
from .lif_torch import surrogate_derivative
from .neuron import NeuronConfig, run_backward, run_forward

LEARNED = ("current_decay", "voltage_decay", "threshold")
MIN_DECAY = 1 / DECAY_ONE  # so that a decay that starts at 0 or 1 has a finite logit


class LearnedParameters(nn.Module):
    """Learned parameters of the neurons of a layer, each one number.

    A decay is the logistic function of its parameter, and a threshold the exponential.

    Args:
        names: Those of `LEARNED` that are learned.
        neuron: Initial decays.
        threshold: Initial threshold.
    """

    def __init__(self, names: Sequence[str], neuron: NeuronConfig, threshold: float):
        super().__init__()
        initial = {"current_decay": neuron.current_decay, "voltage_decay": neuron.voltage_decay}
        self.raw = nn.ParameterDict()
        for name in names:
            if name == "threshold":
                value = math.log(threshold)
            else:
                decay = min(max(initial[name] / DECAY_ONE, MIN_DECAY), 1 - MIN_DECAY)
                value = math.log(decay / (1 - decay))
            self.raw[name] = nn.Parameter(torch.tensor(value))

    def configure(self, neuron: NeuronConfig) -> NeuronConfig:
        """`neuron` with the learned decays."""
        decays: Any = {
            name: int(quantize_decay(float(self.raw[name].detach().double().sigmoid())))
            for name in self.raw
            if name != "threshold"
        }
        return replace(neuron, **decays)

    def threshold(self, default: float) -> float:
        """The learned threshold, else `default`."""
        return float(self.raw["threshold"].detach().exp()) if "threshold" in self.raw else default

    def tensors(self, neuron: NeuronConfig, threshold: float, scale: float) -> "NeuronTensors":
        """The parameters as tensors that carry gradients, with the values of the forward pass.

        Args:
            neuron: Neuron with the learned decays.
            threshold: Threshold in the units of the activation.
            scale: Units of the activation per float unit, through which the gradient passes.
        """
        return NeuronTensors(
            self._with_gradient("current_decay", neuron.current_decay / DECAY_ONE),
            self._with_gradient("voltage_decay", neuron.voltage_decay / DECAY_ONE),
            self._with_gradient("threshold", threshold, scale),
        )

    def _with_gradient(self, name: str, value: float, scale: float = 1.0) -> Tensor:
        """Tensor of `value` with the gradient of the parameter, if it is learned."""
        if name not in self.raw:
            device = next(iter(self.raw.values())).device
            return torch.tensor(value, device=device)
        raw = self.raw[name]
        smooth: Tensor = raw.exp() * scale if name == "threshold" else raw.sigmoid()
        return value + (smooth - smooth.detach())


@dataclass(frozen=True)
class NeuronTensors:
    """Decays (fractions lost per step) and threshold of a layer, tensors of one number each."""

    current_decay: Tensor
    voltage_decay: Tensor
    threshold: Tensor


def learned_lif(
    activation: Tensor, bias: Tensor, tensors: NeuronTensors, neuron: NeuronConfig, unit: float
) -> Tensor:
    """Run a layer of neurons as `neuron.lif`, with gradients for decays and threshold.

    Args:
        activation: Input of the neurons, (timesteps, batch, *shape).
        bias: Added to the voltage each step; broadcasts to `shape`.
        tensors: Decays and threshold; the threshold in the units of the activation.
        neuron: Neuron model with the same decays.
        unit: 1 in floats, 64 in integer arithmetic.

    Returns:
        Spikes (0 or 1), or the voltages of an integrator.
    """
    apply: Any = _LearnedLif.apply
    result: Tensor = apply(
        activation, bias, tensors.threshold, tensors.current_decay, tensors.voltage_decay,
        neuron, unit,
    )  # fmt: skip
    return result


class _LearnedLif(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        activation: Tensor,
        bias: Tensor,
        threshold: Tensor,
        current_decay: Tensor,
        voltage_decay: Tensor,
        neuron: NeuronConfig,
        unit: float,
    ) -> Tensor:
        level = max(float(threshold.detach()) * unit, 1e-30) if neuron.spiking else 1.0
        out, voltages = run_forward(activation, bias, level, neuron, unit > 1)
        ctx.save_for_backward(voltages, bias)
        ctx.settings = (level, neuron, unit)
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of v(t) = (1 - dv) v'(t-1) + u(t) + b and u(t) = (1 - du) u(t-1) + a(t).

        v' is the voltage after the reset. With the gradients gv and gu of v and u,
        gu(t) = gv(t) + (1 - du) gu(t+1), so that gv follows from gu.
        """
        voltages, bias = ctx.saved_tensors
        level, neuron, unit = ctx.settings
        grad_activation, grad_bias = run_backward(gradients[0], voltages, level, unit, neuron)
        keep_current, keep_voltage = (
            1 - decay / DECAY_ONE for decay in (neuron.current_decay, neuron.voltage_decay)
        )
        grad_current = grad_activation / unit
        grad_voltage = grad_current - keep_current * _next(grad_current)
        before = voltages
        if neuron.spiking:
            spikes = voltages > level
            amount = max(level, unit) if unit > 1 else level
            before = voltages - spikes * (amount if neuron.soft else voltages)
        before = _previous(before)
        currents = voltages - keep_voltage * before - bias
        grad_threshold = voltages.new_zeros(())
        if neuron.spiking:
            slope = surrogate_derivative(voltages / level - 1, neuron.surrogate) / level
            grad_threshold = -(gradients[0] * slope * voltages / level).sum() * unit
        return (
            grad_activation,
            grad_bias.sum_to_size(bias.shape) if ctx.needs_input_grad[1] else None,
            grad_threshold,
            -(grad_current * _previous(currents)).sum(),
            -(grad_voltage * before).sum(),
            None,
            None,
        )


def _next(values: Tensor) -> Tensor:
    return torch.cat([values[1:], torch.zeros_like(values[:1])])


def _previous(values: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(values[:1]), values[:-1]])
