"""Relay populations on skip connections, for chips whose synaptic delays are too short.

On a chip each hop takes one step, so spikes that skip layers would arrive early (see `schedule`).
Synaptic delays compensate for this if the chip has them; otherwise relays do, memoryless neurons
that repeat each spike one step later:

    source -> relay -> relay -> target
"""

from dataclasses import replace

import numpy as np

from ...runtime import Network, Population, Projection, SumPool
from ...runtime.connections import Connection, Sparse
from .schedule import schedule


def insert_relays(network: Network, max_wait: int = 0) -> Network:
    """Insert relay populations on projections whose spikes would wait more than `max_wait` steps.

    Projections of the same source share their relays. Executed layer by layer, the network computes
    the same spikes; pipelined, no projection without a delay of its own waits longer than
    `max_wait`.
    """
    depths = schedule(network).depths
    relays: dict[tuple[str, int], Population] = {}
    projections: list[Projection] = []
    for projection in network.projections:
        source = projection.source
        hops = depths[projection.target] - depths[source] - 1 - max_wait
        for hop in range(1, hops + 1 if not projection.delay else 1):
            if (projection.source, hop) not in relays:
                relay = _make_relay(network.population(projection.source), hop)
                relays[projection.source, hop] = relay
                identity = _identity_connection(relay)
                projections.append(
                    Projection(f"{source}-{relay.name}", source, relay.name, identity)
                )
            source = relays[projection.source, hop].name
        projections.append(replace(projection, source=source))
    populations = (*network.populations, *relays.values())
    return replace(network, populations=populations, projections=tuple(projections))


def _make_relay(source: Population, hop: int) -> Population:
    name, bits = f"{source.name}.relay{hop}", source.value_bits
    return Population(name, source.shape, voltage_decay=4096, value_bits=bits)


def _identity_connection(relay: Population) -> Connection:
    """One-to-one connection of weight 1."""
    if len(relay.shape) == 3:
        return SumPool((1, 1), (1, 1))
    neurons = np.arange(relay.neurons)
    weights = np.ones(relay.neurons, np.int16)
    return Sparse(weights, neurons, neurons, (relay.neurons, relay.neurons))
