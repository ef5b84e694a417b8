"""One population and what reaches it, tried in the chip's integers apart from the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime.arithmetic import ALIGN_BITS
from ...runtime.engines.cpu.engine import run
from ...runtime.network import Network
from ...runtime.population import Population
from .float_network import FloatPopulation, FloatProjection
from .quantize import broadcast_scale, quantize_population, weight_scale

Array = NDArray[Any]
Outputs = Mapping[str, Array]
PerChannel = NDArray[np.float64]


@dataclass(frozen=True)
class LayerTrial:
    """`neurons` and the projections that reach them, their weights cut at shares of the largest.

    `cut` holds the share of each channel, float64 (channels,).
    """

    population: FloatPopulation
    incoming: tuple[FloatProjection, ...]
    clip_fraction: PerChannel

    @property
    def channels(self) -> int:
        """How many channels, or neurons of a flat population, there are."""
        return self.population.shape[0]

    def clip_weights(self, shares: PerChannel, which: Sequence[str]) -> "LayerTrial":
        """Return it with the weights of the projections called `which` cut at `shares`."""
        incoming = tuple(
            _clip(s, shares, self.population.per_channel) if s.name in which else s
            for s in self.incoming
        )
        return replace(
            self, incoming=incoming, clip_fraction=np.minimum(self.clip_fraction, shares)
        )

    def dequantize_weights(self) -> list[NDArray[np.float32]]:
        """Return the weights of each projection as the chip holds them, in real units."""
        scale = weight_scale(self.population, self.incoming)
        held = []
        projections = quantize_population(self.population, self.incoming)[1]
        for synapses, projection in zip(self.incoming, projections, strict=True):
            connection: Any = projection.connection
            integers = connection.weight if synapses.kind == "sum_pool" else connection.weights
            kept = np.array(integers, np.float32) * 2.0**projection.weight_exponent
            real = np.broadcast_to(kept, synapses.weights.shape) / broadcast_scale(synapses, scale)
            held.append(real.astype(np.float32))
        return held


def run_quantized(stage: LayerTrial, given: Outputs) -> Array:
    """Return what `stage` sends in integers: spikes, uint8, or voltages (timesteps, batch, *shape).

    `given` are the events of its sources, uint8, by name; voltages are in real units.
    """
    population, projections, _ = quantize_population(stage.population, stage.incoming)
    sources = {s.source for s in stage.incoming} - {population.name}
    inputs = [_make_input(name, given[name]) for name in sorted(sources)]
    network = Network((*inputs, population), tuple(projections))
    trace = run(network, {name: given[name] for name in sources})
    if stage.population.spiking:
        return trace.spikes[population.name]
    scale = np.float64(weight_scale(stage.population, stage.incoming))
    return trace.voltages[population.name] / (scale * (1 << ALIGN_BITS))


def channel_errors(stage: LayerTrial, sent: Array, exact: Array) -> PerChannel:
    """Return how much of what was `sent` is not `exact`, by channel, float64 (channels,).

    Of spikes it is how many differ, of voltages the sum of squares.
    """
    off = sent != exact if stage.population.spiking else (sent - exact) ** 2
    summed = off.sum(axis=(0, 1), dtype=np.float64)
    by_channel: PerChannel = summed.reshape(stage.channels, -1).sum(axis=1)
    return by_channel


def _make_input(name: str, events: Array) -> Population:
    return Population(name, events.shape[2:], "input", value_bits=8 if events.max() > 1 else 1)


def _clip(synapses: FloatProjection, shares: PerChannel, by_channel: bool) -> FloatProjection:
    weights = synapses.weights
    rows = np.abs(weights).reshape(len(shares), -1).max(axis=1)
    most = shares * (rows if by_channel else rows.max())
    bound = broadcast_scale(synapses, most.astype(np.float32))
    return replace(synapses, weights=np.clip(weights, -bound, bound))
