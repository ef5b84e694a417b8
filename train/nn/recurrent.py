"""Layers whose neurons reach each other one step later.

The activation of a step needs the spikes of the step before, so time is a loop here; the arithmetic
and the gradient of a step are those of `dynamics`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...convert.quantize.scales import ALIGN, DECAY_ONE, WEIGHT_BITS
from .layers import SpikingLayer
from .neuron import NeuronConfig, membrane_update, surrogate_derivative
from .projections import InputSpec, Linear, Projection


class RecurrentLayer(SpikingLayer):
    """A layer that also reads its own spikes through `loop`, with a delay of one step.

    `loop` has no bias and no batch norm, whose statistics would be those of single steps.
    """

    def __init__(
        self,
        name: str,
        projections: Sequence[Projection],
        recurrent: Linear,
        neuron: NeuronConfig,
        threshold: float = 1.0,
        weight_bits: int = WEIGHT_BITS,
    ):
        super().__init__(name, projections, neuron, threshold, weight_bits)
        self.recurrent = Projection(InputSpec((name,)), recurrent, delay=1)

    @property
    def projection_list(self) -> list[Projection]:
        """Its projections, the loop last."""
        return [*super().projection_list, self.recurrent]

    @property
    def inputs(self) -> tuple[InputSpec, ...]:
        """What each of its projections reads, less the loop."""
        return tuple(way.input_spec for way in super().projection_list)

    def activate(
        self, activation: Tensor, bias: Tensor, level: float, weights: list[Tensor] | None
    ) -> Tensor:
        """Return the spikes of all steps, one after the other."""
        looped = self.recurrent.weights if weights is None else weights[-1]
        unit = 1.0 if weights is None else float(ALIGN)
        current = voltage = torch.zeros_like(activation[0])
        spikes = torch.zeros_like(activation[:1])
        sent = []
        step: Any = _LifStep.apply
        for arriving in activation:
            arriving = arriving + self.recurrent.project(spikes, looped).view_as(arriving)
            current, voltage, out = step(
                arriving, bias, current, voltage, level * unit, self.neuron, unit
            )
            spikes = out.unsqueeze(0)
            sent.append(out)
        return torch.stack(sent)


class _LifStep(torch.autograd.Function):
    """One step of neurons from their states, as `dynamics` does all of them at once."""

    @staticmethod
    def forward(
        ctx: Any,
        arriving: Tensor,
        bias: Tensor,
        current: Tensor,
        voltage: Tensor,
        level: float,
        rule: NeuronConfig,
        unit: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        integers = unit > 1
        number = torch.int64 if integers else arriving.dtype
        current, voltage = membrane_update(
            current.to(number), voltage.to(number), arriving.to(number), bias.to(number), rule
        )
        current, voltage = current.to(arriving.dtype), voltage.to(arriving.dtype)
        ctx.save_for_backward(voltage)
        ctx.settings = (level, rule, unit, bias.shape)
        spikes = voltage > level
        return current, voltage.masked_fill(spikes, 0), spikes.to(arriving.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (voltage,) = ctx.saved_tensors
        level, rule, unit, bias_shape = ctx.settings
        by_current, by_voltage, by_spikes = gradients
        surrogate = surrogate_derivative(voltage / level - 1, rule.surrogate) / level
        by_voltage = by_spikes * surrogate + by_voltage * (voltage <= level)
        by_current = by_current + by_voltage
        return (
            by_current * unit,
            by_voltage.sum_to_size(bias_shape),
            by_current * (1 - rule.current_decay / DECAY_ONE),
            by_voltage * (1 - rule.voltage_decay / DECAY_ONE),
            None,
            None,
            None,
        )
