"""Layers whose neurons reach each other one step later.

The activation of a step needs the spikes of the step before, so time is a loop here; the arithmetic
and the gradient of a step are those of `dynamics`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..convert.rounding import ALIGN, DECAY_ONE, WEIGHT_BITS
from .dynamics import Rule, before_firing, slope
from .layers import Layer
from .projections import Linear, Projection, Reads


class RecurrentLayer(Layer):
    """A layer that also reads its own spikes through `loop`, with a delay of one step.

    `loop` has no bias and no batch norm, whose statistics would be those of single steps.
    """

    def __init__(
        self,
        name: str,
        projections: Sequence[Projection],
        loop: Linear,
        rule: Rule,
        threshold: float = 1.0,
        bits: int = WEIGHT_BITS,
    ):
        super().__init__(name, projections, rule, threshold, bits)
        self.loop = Projection(Reads((name,)), loop, delay=1)

    @property
    def ways(self) -> list[Projection]:
        """Its projections, the loop last."""
        return [*super().ways, self.loop]

    @property
    def reads(self) -> tuple[Reads, ...]:
        """What each of its projections reads, less the loop."""
        return tuple(way.reads for way in super().ways)

    def fired(
        self, activation: Tensor, bias: Tensor, level: float, weights: list[Tensor] | None
    ) -> Tensor:
        """Return the spikes of all steps, one after the other."""
        looped = self.loop.weights if weights is None else weights[-1]
        unit = 1.0 if weights is None else float(ALIGN)
        current = voltage = torch.zeros_like(activation[0])
        spikes = torch.zeros_like(activation[:1])
        sent = []
        step: Any = _Step.apply
        for arriving in activation:
            arriving = arriving + self.loop.mapped(spikes, looped).view_as(arriving)
            current, voltage, out = step(
                arriving, bias, current, voltage, level * unit, self.rule, unit
            )
            spikes = out.unsqueeze(0)
            sent.append(out)
        return torch.stack(sent)


class _Step(torch.autograd.Function):
    """One step of neurons from their states, as `dynamics` does all of them at once."""

    @staticmethod
    def forward(
        ctx: Any,
        arriving: Tensor,
        bias: Tensor,
        current: Tensor,
        voltage: Tensor,
        level: float,
        rule: Rule,
        unit: float,
    ) -> tuple[Tensor, Tensor, Tensor]:
        integers = unit > 1
        number = torch.int64 if integers else arriving.dtype
        current, voltage = before_firing(
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
        surrogate = slope(voltage / level - 1, rule.surrogate) / level
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
