"""Recurrent spiking layers: neurons with synapses among themselves, with a delay of one step.

The activation of a step needs the spikes of the step before, so that time is a loop here; the
arithmetic and the gradient of a step are those of `neuron`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...convert.quantize.scales import ALIGN, DECAY_ONE, WEIGHT_BITS
from .alif import Adaptation, start
from .exact_sums import round_sums
from .layers import SpikingLayer
from .lif_torch import membrane_update, reset_voltage, surrogate_derivative
from .neuron import NeuronConfig
from .projections import InputSpec, Linear, Projection


class RecurrentLayer(SpikingLayer):
    """A spiking layer that also reads its own spikes, with a delay of one timestep.

    The recurrent synapses have no bias and no batch norm, whose statistics would be those of single
    steps. Arguments are those of `SpikingLayer`, and the linear operation `recurrent`.
    """

    def __init__(
        self,
        name: str,
        projections: Sequence[Projection],
        recurrent: Linear,
        neuron: NeuronConfig,
        threshold: float = 1.0,
        weight_bits: int = WEIGHT_BITS,
        learn: Sequence[str] = (),
        dropout: float = 0.0,
    ):
        super().__init__(name, projections, neuron, threshold, weight_bits, learn, dropout)
        self.recurrent = Projection(InputSpec((name,)), recurrent, delay=1)

    @property
    def projection_list(self) -> list[Projection]:
        """The projections, the recurrent one last."""
        return [*super().projection_list, self.recurrent]

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """Input of each projection but the recurrent one."""
        return tuple(projection.input_spec for projection in super().projection_list)

    def activate(
        self,
        activation: Tensor,
        bias: Tensor,
        threshold: float,
        weights: list[Tensor] | None,
        scale: float = 1.0,
    ) -> Tensor:
        """Run the neurons one timestep after the other."""
        recurrent = self.recurrent.weights if weights is None else weights[-1]
        unit = 1.0 if weights is None else float(ALIGN)
        neuron = self.neuron
        tensors = self._tensors(neuron, threshold, scale)
        adaptation = None
        if neuron.adaptive:
            states = torch.zeros_like(activation[0], dtype=None if weights is None else torch.int64)
            step_size = self._threshold_step(weights, scale) * unit
            adaptation = start(threshold * unit, neuron, states, step_size)
        current = voltage = torch.zeros_like(activation[0])
        spikes = torch.zeros_like(activation[:1])
        outputs = []
        step: Any = _LifStep.apply
        for increment in activation:
            increment = increment + self.recurrent.project(spikes, recurrent).view_as(increment)
            settings = threshold * unit, neuron, unit, adaptation
            current, voltage, out = step(increment, bias, current, voltage, settings, *tensors)
            spikes = out.unsqueeze(0)
            outputs.append(out)
        return torch.stack(outputs)

    def _tensors(self, neuron: NeuronConfig, threshold: float, scale: float) -> tuple[Tensor, ...]:
        """Decays and threshold as tensors with gradients, where they are learned."""
        if self.learned is None:
            return ()
        tensors = self.learned.tensors(neuron, threshold, scale)
        return tensors.current_decay, tensors.voltage_decay, tensors.threshold


class _LifStep(torch.autograd.Function):
    """One timestep of neurons from their states, as `neuron.lif` runs all of them at once."""

    @staticmethod
    def forward(
        ctx: Any,
        increment: Tensor,
        bias: Tensor,
        current: Tensor,
        voltage: Tensor,
        settings: tuple[float, NeuronConfig, float, Adaptation | None],
        *learned: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        threshold, neuron, unit, adaptation = settings
        integers = unit > 1
        floating = increment.dtype
        dtype = torch.int64 if integers else floating
        before = (current, voltage) if learned else ()
        increment = round_sums(increment).to(dtype) if integers else increment
        decays = neuron.current_decay, neuron.voltage_decay
        current, voltage = membrane_update(
            current.to(dtype), voltage.to(dtype), increment, bias.to(dtype), decays
        )
        after = voltage
        if adaptation is not None:
            voltage = voltage - adaptation.decay()
            spikes = voltage >= threshold
            adaptation.update(spikes)
        else:
            spikes = voltage > threshold
            after = reset_voltage(voltage, spikes, threshold, neuron.soft)
        current, voltage, after = (state.to(floating) for state in (current, voltage, after))
        ctx.save_for_backward(voltage, *before)
        ctx.settings = (threshold, neuron, unit, bias.shape)
        return current, after, spikes.to(floating)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        voltage, *before = ctx.saved_tensors
        threshold, neuron, unit, bias_shape = ctx.settings
        grad_current, grad_voltage, grad_spikes = gradients
        surrogate = surrogate_derivative(voltage / threshold - 1, neuron.surrogate) / threshold
        kept = (
            grad_voltage
            if neuron.soft or neuron.adaptive
            else grad_voltage * (voltage <= threshold)
        )
        grad_voltage = grad_spikes * surrogate + kept
        grad_current = grad_current + grad_voltage
        learned: tuple[Tensor, ...] = ()
        if before:
            learned = (
                -(grad_current * before[0]).sum(),
                -(grad_voltage * before[1]).sum(),
                -(grad_spikes * surrogate * voltage / threshold).sum() * unit,
            )
        return (
            grad_current * unit,
            grad_voltage.sum_to_size(bias_shape),
            grad_current * (1 - neuron.current_decay / DECAY_ONE),
            grad_voltage * (1 - neuron.voltage_decay / DECAY_ONE),
            None,
            *learned,
        )
