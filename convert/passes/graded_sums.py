"""Send sums of spikes as graded spikes, for chips whose messages carry integers.

Where several populations project to another by the same weights, only their sum matters. A
population that adds them up and sends the sum needs each synapse once instead of once per source,
and changes no spike:

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
    """Replace projections of equal weights into a population by one from a graded sum.

    Applies to sums of images within 8 bits; all other projections stay.
    """
    sums: dict[tuple[str, ...], Population] = {}
    projections: list[Projection] = []
    for target in network.populations:
        for group in _group_by_weights(network, target.name):
            sources = tuple(p.source for p in group)
            total = sum(network.population(name).max_value for name in sources)
            if len(sources) == 1 or total.bit_length() > MAX_BITS:
                projections += group
                continue
            if sources not in sums:
                sums[sources] = _make_sum_population(network, sources, total.bit_length())
                name = sums[sources].name
                projections += [
                    Projection(f"{source}-{name}", source, name, ONE_TO_ONE) for source in sources
                ]
            name = sums[sources].name
            projections.append(replace(group[0], name=f"{name}-{target.name}", source=name))
    populations = (*network.populations, *sums.values())
    return replace(network, populations=populations, projections=tuple(projections))


def _make_sum_population(network: Network, sources: tuple[str, ...], bits: int) -> Population:
    shape = network.population(sources[0]).shape
    return Population(f"{sources[-1]}.sum", shape, voltage_decay=4096, value_bits=bits)


def _group_by_weights(network: Network, target: str) -> list[list[Projection]]:
    """Projections into `target`, grouped where they differ only in name and source."""
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
