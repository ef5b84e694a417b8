"""Quantize one layer alone and run it in integers, to compare it with the float network."""

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
from .quantize import quantize_population, weight_scale
from .quantize_projection import broadcast_scale

Array = NDArray[Any]
Outputs = Mapping[str, Array]
PerChannel = NDArray[np.float64]


@dataclass(frozen=True)
class LayerTrial:
    """A population and its incoming projections, their weights clipped.

    Attributes:
        population: The population.
        incoming: The projections into it.
        clip_fraction: Clipping range of each channel as a fraction of the largest weight, float64
            (channels,).
    """

    population: FloatPopulation
    incoming: tuple[FloatProjection, ...]
    clip_fraction: PerChannel

    @property
    def channels(self) -> int:
        """Number of channels, or of neurons of a flat population."""
        return self.population.shape[0]

    def clip_weights(self, fractions: PerChannel, names: Sequence[str]) -> "LayerTrial":
        """Clip the weights of the projections called `names` at fractions of the largest."""
        incoming = tuple(
            _clip(p, fractions, self.population.per_channel) if p.name in names else p
            for p in self.incoming
        )
        clip_fraction = np.minimum(self.clip_fraction, fractions)
        return replace(self, incoming=incoming, clip_fraction=clip_fraction)

    def dequantize_weights(self) -> list[NDArray[np.float32]]:
        """Quantized weights of each projection in float units, shaped as before quantization."""
        scale = weight_scale(self.population, self.incoming)
        dequantized = []
        quantized = quantize_population(self.population, self.incoming)[1]
        for before, after in zip(self.incoming, quantized, strict=True):
            connection: Any = after.connection
            integers = connection.weight if before.kind == "sum_pool" else connection.weights
            products = np.array(integers, np.float32) * 2.0**after.weight_exponent
            weights = np.broadcast_to(products, before.weights.shape)
            dequantized.append((weights / broadcast_scale(before, scale)).astype(np.float32))
        return dequantized


def run_quantized(trial: LayerTrial, inputs: Outputs) -> Array:
    """Run one layer in integers on the events of its sources.

    Args:
        trial: The layer.
        inputs: Events of its sources by name, uint8 (timesteps, batch, *shape).

    Returns:
        Spikes, uint8, or the voltages of an integrator in float units (timesteps, batch, *shape).
    """
    population, projections, _ = quantize_population(trial.population, trial.incoming)
    sources = {p.source for p in trial.incoming} - {population.name}
    events = {name: inputs[name] for name in sources}
    if not events:  # only their own spikes reach them
        events[f"{population.name}.none"] = np.zeros((*inputs[population.name].shape[:2], 1))
        events = {name: values.astype(np.uint8) for name, values in events.items()}
    populations = [_make_input(name, events[name]) for name in sorted(events)]
    network = Network((*populations, population), tuple(projections))
    trace = run(network, events)
    if trial.population.spiking:
        return trace.spikes[population.name]
    scale = np.float64(weight_scale(trial.population, trial.incoming))
    return trace.voltages[population.name] / (scale * (1 << ALIGN_BITS))


def channel_errors(trial: LayerTrial, quantized: Array, expected: Array) -> PerChannel:
    """Output error of each channel, float64 (channels,).

    The number of spikes that differ from the float network's, or of an integrator the sum of
    squared voltage differences.
    """
    spiking = trial.population.spiking
    errors = quantized != expected if spiking else (quantized - expected) ** 2
    summed = errors.sum(axis=(0, 1), dtype=np.float64)
    by_channel: PerChannel = summed.reshape(trial.channels, -1).sum(axis=1)
    return by_channel


def _make_input(name: str, events: Array) -> Population:
    bits = max(int(events.max(initial=0)).bit_length(), 1)
    return Population(name, events.shape[2:], "input", value_bits=bits)


def _clip(projection: FloatProjection, fractions: PerChannel, per_channel: bool) -> FloatProjection:
    weights = projection.weights
    rows = np.abs(weights).reshape(len(fractions), -1).max(axis=1)
    limits = fractions * (rows if per_channel else rows.max())
    bound = broadcast_scale(projection, limits.astype(np.float32))
    return replace(projection, weights=np.clip(weights, -bound, bound))
