"""Sums of spikes as graded spikes, for chips whose messages carry numbers.

Where several populations reach another by the same weights, what counts is their sum. A population
that adds them up and sends the sum takes each synapse once instead of once a source, and changes no
spike:

    sum over sources of W s_k = W (sum of s_k)
"""

from dataclasses import replace

from ...runtime.connections import SumPool
from ...runtime.network import Network
from ...runtime.population import Population
from ...runtime.projection import Projection

MAX_BITS = 8
ONE_TO_ONE = SumPool((1, 1), (1, 1))


def use_graded_sums(network: Network) -> Network:
    """Return `network` with one projection from a sum, where it has several of equal weights.

    Sums of images alone, within 8 bits; all other projections stay as they are.
    """
    added: dict[tuple[str, ...], Population] = {}
    projections: list[Projection] = []
    for target in network.populations:
        for alike in _group_by_weights(network, target.name):
            sources = tuple(p.source for p in alike)
            total = sum(network.population(name).max_value for name in sources)
            if len(sources) == 1 or total.bit_length() > MAX_BITS:
                projections += alike
                continue
            if sources not in added:
                added[sources] = _make_sum_population(network, sources, total.bit_length())
                projections += [
                    Projection(
                        f"{name}-{added[sources].name}", name, added[sources].name, ONE_TO_ONE
                    )
                    for name in sources
                ]
            name = added[sources].name
            projections.append(replace(alike[0], name=f"{name}-{target.name}", source=name))
    populations = (*network.populations, *added.values())
    return replace(network, populations=populations, projections=tuple(projections))


def _make_sum_population(network: Network, sources: tuple[str, ...], bits: int) -> Population:
    shape = network.population(sources[0]).shape
    return Population(f"{sources[-1]}.sum", shape, voltage_decay=4096, value_bits=bits)


def _group_by_weights(network: Network, target: str) -> list[list[Projection]]:
    """Return the projections into `target`, those together that differ in their source alone."""
    groups: list[list[Projection]] = []
    for projection in network.incoming(target):
        shape = network.population(projection.source).shape
        for group in groups:
            first = group[0]
            if (
                len(shape) == 3
                and network.population(first.source).shape == shape
                and replace(first, name=projection.name, source=projection.source) == projection
            ):
                group.append(projection)
                break
        else:
            groups.append([projection])
    return groups
