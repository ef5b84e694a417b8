"""Neurons with an adaptive threshold (ALIF) over many timesteps, with surrogate gradients.

SLAYER's neurons (Bellec et al., "Long short-term memory and learning-to-learn in networks of
spiking neurons", NeurIPS 2018, with a refractory value in the place of a reset), which keep current
and voltage at a spike. Per neuron and timestep, with the decays of the raise o of the threshold and
of the refractory value r,

    o = (1 - threshold_decay) o,  r = (1 - refractory_decay) r
    spike = v >= threshold + o + r
    r = r + 2 (threshold + o) spike,  then o = o + threshold_step spike

The forward pass in integers is `pumice.runtime.arithmetic`, bit for bit. As in SLAYER, o and r have
no gradients: that of a spike is the surrogate derivative at (v - o - r) / threshold - 1.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...runtime.arithmetic import ALIGN_BITS
from .exact_sums import round_sums
from .lif_torch import apply_decay, membrane_update

if TYPE_CHECKING:
    from .neuron import NeuronConfig


@dataclass
class Adaptation:
    """State of adaptive thresholds, in units of the voltage; integers where those are.

    Attributes:
        threshold: Threshold without spikes.
        step: What a spike adds to it.
        decays: Of the raise and of the refractory value, in 1/4096.
        raised: Raise of the threshold.
        refractory: Refractory value.
    """

    threshold: float
    step: float
    decays: tuple[int, int]
    raised: Tensor
    refractory: Tensor

    def decay(self) -> Tensor:
        """Begin a timestep; returns what a voltage needs above the threshold without spikes."""
        self.raised = apply_decay(self.raised, self.decays[0])
        self.refractory = apply_decay(self.refractory, self.decays[1])
        return self.raised + self.refractory

    def update(self, spikes: Tensor) -> None:
        """Add what `spikes` (bool) cause."""
        if self.raised.is_floating_point():
            threshold, step = self.threshold, self.step
        else:
            threshold, step = int(self.threshold), int(self.step)
        self.refractory = self.refractory + spikes * (2 * (self.raised + threshold))
        self.raised = self.raised + spikes * step


def start(threshold: float, neuron: "NeuronConfig", like: Tensor, step: float) -> Adaptation:
    """Adaptation before the first timestep, of the shape and type of `like`.

    `threshold` and `step` are in units of the voltage.
    """
    zero = torch.zeros_like(like)
    decays = neuron.threshold_decay, neuron.refractory_decay
    return Adaptation(threshold, step, decays, zero, zero)


def run_forward(
    activation: Tensor,
    bias: Tensor,
    threshold: float,
    step: float,
    neuron: "NeuronConfig",
    integers: bool,
) -> tuple[Tensor, Tensor]:
    """Spikes, and voltages less raise and refractory value, (timesteps, batch, *shape).

    Args:
        activation: Input of the neurons, (timesteps, batch, *shape).
        bias: Added to the voltage each step; broadcasts to `shape`.
        threshold: Firing threshold in units of the voltage.
        step: Raise of the threshold by a spike, likewise.
        neuron: Neuron model.
        integers: Integer arithmetic.
    """
    dtype = torch.int64 if integers else activation.dtype
    values = round_sums(activation).to(dtype) if integers else activation
    bias = bias.to(dtype)
    current = voltage = torch.zeros_like(values[0])
    adaptation = start(threshold, neuron, current, step)
    spikes, led = torch.empty_like(activation), torch.empty_like(activation)
    decays = neuron.current_decay, neuron.voltage_decay
    for now, increment in enumerate(values):
        current, voltage = membrane_update(current, voltage, increment, bias, decays)
        lead = voltage - adaptation.decay()
        fired = lead >= threshold
        adaptation.update(fired)
        spikes[now], led[now] = fired, lead
    return spikes, led


def alif(
    activation: Tensor,
    bias: Tensor,
    threshold: float,
    step: float,
    neuron: "NeuronConfig",
    integers: bool,
) -> Tensor:
    """Run a layer of neurons over all timesteps; arguments as of `neuron.lif`.

    `step` is the raise of the threshold by a spike, in the units of `threshold`.
    """
    unit = float(1 << ALIGN_BITS) if integers else 1.0
    apply: Any = _Alif.apply
    settings = threshold * unit, step * unit, neuron, unit
    result: Tensor = apply(activation, bias, settings)
    return result


class _Alif(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        activation: Tensor,
        bias: Tensor,
        settings: tuple[float, float, "NeuronConfig", float],
    ) -> Tensor:
        threshold, step, neuron, unit = settings
        spikes, led = run_forward(activation, bias, threshold, step, neuron, unit > 1)
        ctx.save_for_backward(led)
        ctx.settings, ctx.bias_shape = settings, bias.shape
        return spikes

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        from .neuron import run_backward

        threshold, _, neuron, unit = ctx.settings
        (led,) = ctx.saved_tensors
        level = max(threshold, 1e-30)
        grad, grad_bias = run_backward(gradients[0], led, level, unit, neuron)
        bias = grad_bias.sum_to_size(ctx.bias_shape) if ctx.needs_input_grad[1] else None
        return grad, bias, None
