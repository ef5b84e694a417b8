"""Layers: neurons, and the projections that drive them, in real numbers or as on the chip.

Tensors are (timesteps, batch, *shape). While a layer is not `quantised` it computes in real
numbers with live batch norm. Once quantised, batch norm's running statistics are frozen and folded,
and the forward pass is the converted network's, integer for integer; gradients pass the rounding.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ..convert import rounding
from ..convert.graph import Neurons, Synapses
from .dynamics import Rule, integrate
from .projections import Linear, Projection, Reads, Shape


class Layer(nn.Module):
    """Neurons called `name` that follow `rule`, driven by the sum of their `projections`.

    Takes for each projection what it reads, whole numbers; gives spikes, or voltages in real units
    where the rule does not spike. A layer of a flat target flattens its sources. Once quantised,
    its weights have `bits` bits. `reach` is the largest voltage seen in training of one that does
    not spike: its integers must hold it.
    """

    reach: Tensor

    def __init__(
        self,
        name: str,
        projections: Sequence[Projection],
        rule: Rule,
        threshold: float = 1.0,
        bits: int = rounding.WEIGHT_BITS,
    ):
        super().__init__()
        self.name = name
        self.projections = nn.ModuleList(projections)
        self.rule = rule
        self.threshold = threshold
        self.bits = bits
        self.quantised = False
        if not rule.spikes:
            self.register_buffer("reach", torch.zeros(()))

    @property
    def ways(self) -> list[Projection]:
        """Its projections."""
        return [p for p in self.projections if isinstance(p, Projection)]

    @property
    def reads(self) -> tuple[Reads, ...]:
        """What each of its projections reads."""
        return tuple(projection.reads for projection in self.ways)

    @property
    def linear(self) -> Linear:
        """The linear map of its first projection."""
        linear = self.ways[0].linear
        assert linear is not None
        return linear

    def forward(self, *values: Tensor) -> Tensor:
        if self.quantised:
            return self._integers(values)
        activation = _added([way(value) for way, value in zip(self.ways, values, strict=False)])
        out = self.fired(activation, activation.new_zeros(()), self.threshold, None)
        if self.training and not self.rule.spikes:
            torch.maximum(self.reach, out.detach().abs().max(), out=self.reach)
        return out

    def fired(
        self, activation: Tensor, bias: Tensor, level: float, weights: list[Tensor] | None
    ) -> Tensor:
        """Return what neurons driven by `activation` send; with rounded `weights`, in integers."""
        return integrate(activation, bias, level, self.rule, weights is not None)

    def _integers(self, values: Sequence[Tensor]) -> Tensor:
        folded = [way.folded() for way in self.ways]
        peaks = [rounding.largest(weights.detach()) for weights, _ in folded]
        threshold = self.threshold if self.rule.spikes else 0.0
        reach = 0.0 if self.rule.spikes else float(self.reach)
        scale = rounding.population_scale(peaks, threshold, self.bits, reach)
        weights = [
            self._rounded(each, peak, scale) for (each, _), peak in zip(folded, peaks, strict=True)
        ]
        driven = zip(self.ways, values, weights, strict=False)  # a loop drives itself
        activation = _added([way.mapped(value, each) for way, value, each in driven])
        bias = _added([bias for _, bias in folded])
        shift = rounding.bias_exponent(float(bias.detach().abs().max()), scale)
        mantissa = rounding.rounded_bias(bias, scale, shift)
        added = _straight_through(bias * (scale * rounding.ALIGN), mantissa * 2.0**shift)
        added = added.view(-1, *([1] * (activation.dim() - 3)))
        level = rounding.rounded_threshold(self.threshold, scale)
        out = self.fired(activation, added, level, weights)
        return out if self.rule.spikes else out * (1.0 / (scale * rounding.ALIGN))

    def _rounded(self, weights: Tensor, peak: float, scale: float) -> Tensor:
        """Return `weights` as the whole numbers they count as, exponent and all."""
        exponent = rounding.weight_exponent(peak, scale, self.bits)
        rounded = rounding.rounded_weights(weights, scale, exponent, self.bits) * 2.0**exponent
        return _straight_through(weights * scale, rounded)

    def shape(self, *values: Tensor) -> Shape:
        """Return the shape of its neurons, where its projections read `values`."""
        arriving = self.ways[0].mapped(values[0], self.ways[0].weights)
        return tuple(arriving.shape[2:])

    def lowered(self, shape: Shape, shapes: dict[str, Shape]) -> tuple[Neurons, list[Synapses]]:
        """Return this layer in the real numbers it would be rounded from.

        `shape` is its own, `shapes` those of the populations before it.
        """
        with torch.no_grad():
            bias = _added([way.folded()[1] for way in self.ways]).cpu().numpy()
        rule = self.rule
        neurons = Neurons(
            self.name,
            shape,
            np.broadcast_to(bias, shape[:1]),
            self.threshold if rule.spikes else 0.0,
            rule.current_decay / rounding.DECAY_ONE,
            rule.voltage_decay / rounding.DECAY_ONE,
            rule.spikes,
            reach=0.0 if rule.spikes else float(self.reach),
        )
        shapes = {**shapes, self.name: shape}
        synapses = [
            replace(each, bits=self.bits)
            for way in self.ways
            for each in way.synapses(self.name, shapes[way.reads.sources[0]])
        ]
        return neurons, synapses


def _added(parts: Sequence[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def _straight_through(real: Tensor, rounded: Tensor) -> Tensor:
    """Return `rounded` exactly, with the gradient of `real`."""
    return rounded.detach() + (real - real.detach())


def set_quantised(layers: Iterable[nn.Module], quantised: bool) -> None:
    """Switch every layer among `layers` to integers or back; frozen batch norm keeps its mode."""
    for module in layers:
        if isinstance(module, Layer):
            module.quantised = quantised
