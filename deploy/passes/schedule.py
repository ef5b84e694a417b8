"""Pipeline schedule: the step at which each population computes, at one step per hop.

Within a step, the arithmetic evaluates populations in topological order. A chip takes one step for
each hop. So each population has a depth, and step `n` of sample `m` of the arithmetic is step
`m * timesteps + n + depth` of the chip. With s and t the depths of a projection's source and
target, its spikes have

    lag = t - s + delay

steps to arrive, and need at least one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...runtime import Network, Projection
from ...runtime.errors import EngineError


@dataclass(frozen=True)
class Schedule:
    """Depth of each population (inputs: 0) and lag of each projection, in steps."""

    depths: Mapping[str, int]
    lags: Mapping[str, int]

    def total_steps(self, timesteps: int, samples: int) -> int:
        """Number of steps until `samples` of `timesteps` each have passed all populations."""
        return timesteps * samples + max(self.depths.values())


def schedule(network: Network) -> Schedule:
    """Compute the smallest depths at which every lag is at least one (Bellman-Ford longest paths).

    Raises:
        EngineError: A cycle has more hops than delay, so that its spikes would have to arrive
            earlier than a chip can send them; the message names its projections.
    """
    depths = {population.name: 0 for population in network.populations}
    last: dict[str, Projection] = {}  # the projection that set each depth
    changed = ""
    for _ in network.populations:
        changed = ""
        for projection in network.projections:
            needed = depths[projection.source] + 1 - projection.delay
            if needed > depths[projection.target]:
                changed = projection.target
                depths[changed], last[changed] = needed, projection
        if not changed:
            break
    if changed:
        raise EngineError(_describe_fast_cycle(_find_cycle(last, changed)))
    lags = {p.name: depths[p.target] - depths[p.source] + p.delay for p in network.projections}
    return Schedule(MappingProxyType(depths), MappingProxyType(lags))


def _find_cycle(last: Mapping[str, Projection], start: str) -> list[Projection]:
    """Find the cycle that set the depth of `start`: far enough back, every projection is on it."""
    inside = last[start]
    for _ in last:
        inside = last[inside.source]
    cycle = [inside]
    while cycle[0].source != inside.target:
        cycle.insert(0, last[cycle[0].source])
    return cycle


def _describe_fast_cycle(cycle: list[Projection]) -> str:
    names = ", ".join(projection.name for projection in cycle)
    delay = sum(projection.delay for projection in cycle)
    missing = len(cycle) - delay
    return (
        f"{names}: this cycle has {len(cycle)} hops and a total delay of {delay}, but a hop takes "
        f"one step on the chip; raise the delay of one by {missing}"
    )
