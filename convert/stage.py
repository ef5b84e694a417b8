"""One population and what reaches it, tried in the chip's integers apart from the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..runtime.arithmetic import ALIGN_BITS
from ..runtime.engines.fast import run
from ..runtime.network import Network
from ..runtime.population import Population
from .graph import Neurons, Synapses
from .quantise import by_row, rounded, scale_of

Values = NDArray[Any]
Sent = Mapping[str, Values]
Shares = NDArray[np.float64]


@dataclass(frozen=True)
class Stage:
    """`neurons` and the projections that reach them, their weights cut at shares of the largest.

    `cut` holds the share of each channel, float64 (channels,).
    """

    neurons: Neurons
    incoming: tuple[Synapses, ...]
    cut: Shares

    @property
    def channels(self) -> int:
        """How many channels, or neurons of a flat population, there are."""
        return self.neurons.shape[0]

    def cut_at(self, shares: Shares, which: Sequence[str]) -> "Stage":
        """Return it with the weights of the projections called `which` cut at `shares`."""
        incoming = tuple(
            _cut(s, shares, self.neurons.by_channel) if s.name in which else s
            for s in self.incoming
        )
        return replace(self, incoming=incoming, cut=np.minimum(self.cut, shares))

    def held(self) -> list[NDArray[np.float32]]:
        """Return the weights of each projection as the chip holds them, in real units."""
        scale = scale_of(self.neurons, self.incoming)
        held = []
        projections = rounded(self.neurons, self.incoming)[1]
        for synapses, projection in zip(self.incoming, projections, strict=True):
            connection: Any = projection.connection
            integers = connection.weight if synapses.kind == "sum_pool" else connection.weights
            kept = np.array(integers, np.float32) * 2.0**projection.weight_exponent
            real = np.broadcast_to(kept, synapses.weights.shape) / by_row(synapses, scale)
            held.append(real.astype(np.float32))
        return held


def sent_by(stage: Stage, given: Sent) -> Values:
    """Return what `stage` sends in integers: spikes, uint8, or voltages (timesteps, batch, *shape).

    `given` are the events of its sources, uint8, by name; voltages are in real units.
    """
    population, projections, _ = rounded(stage.neurons, stage.incoming)
    sources = {s.source for s in stage.incoming} - {population.name}
    inputs = [_input(name, given[name]) for name in sorted(sources)]
    network = Network((*inputs, population), tuple(projections))
    trace = run(network, {name: given[name] for name in sources})
    if stage.neurons.spikes:
        return trace.spikes[population.name]
    scale = np.float64(scale_of(stage.neurons, stage.incoming))
    return trace.voltages[population.name] / (scale * (1 << ALIGN_BITS))


def errors(stage: Stage, sent: Values, exact: Values) -> Shares:
    """Return how much of what was `sent` is not `exact`, by channel, float64 (channels,).

    Of spikes it is how many differ, of voltages the sum of squares.
    """
    off = sent != exact if stage.neurons.spikes else (sent - exact) ** 2
    summed = off.sum(axis=(0, 1), dtype=np.float64)
    by_channel: Shares = summed.reshape(stage.channels, -1).sum(axis=1)
    return by_channel


def _input(name: str, events: Values) -> Population:
    return Population(name, events.shape[2:], "input", value_bits=8 if events.max() > 1 else 1)


def _cut(synapses: Synapses, shares: Shares, by_channel: bool) -> Synapses:
    weights = synapses.weights
    rows = np.abs(weights).reshape(len(shares), -1).max(axis=1)
    most = shares * (rows if by_channel else rows.max())
    bound = by_row(synapses, most.astype(np.float32))
    return replace(synapses, weights=np.clip(weights, -bound, bound))
