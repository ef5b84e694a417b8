"""Relays: neurons that pass spikes on a step later, where a chip cannot hold them back that long.

On a chip each hop takes a step, so what skips layers would arrive early (see `schedule`). Delays
mend that where the chip has them; else relays do, neurons that fire at each spike and forget it:

    source -> relay -> relay -> target
"""

from dataclasses import replace

import numpy as np

from ...runtime import (
    Network,
    Population,
    Projection,
    SumPool,
)
from ...runtime.connections import Connection, Sparse
from .schedule import schedule


def insert_relays(network: Network, max_wait: int = 0) -> Network:
    """Return `network` with relays where spikes would wait more than `waits` steps.

    What a relay passes on is shared by all that skip as far. Layer by layer the network computes
    the same; pipelined, every projection without a delay of its own waits `waits` steps at most.
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
                one_to_one = _identity_connection(relay)
                projections.append(
                    Projection(f"{source}-{relay.name}", source, relay.name, one_to_one)
                )
            source = relays[projection.source, hop].name
        projections.append(replace(projection, source=source))
    populations = (*network.populations, *relays.values())
    return replace(network, populations=populations, projections=tuple(projections))


def _make_relay(source: Population, hop: int) -> Population:
    name, bits = f"{source.name}.relay{hop}", source.value_bits
    return Population(name, source.shape, voltage_decay=4096, value_bits=bits)


def _identity_connection(relay: Population) -> Connection:
    """Return a connection of weight 1 from each neuron to the one in its place."""
    if len(relay.shape) == 3:
        return SumPool((1, 1), (1, 1))
    every = np.arange(relay.neurons)
    return Sparse(np.ones(len(every), np.int16), every, every, (len(every), len(every)))
