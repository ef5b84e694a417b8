"""When each population computes, where every hop between populations costs one step.

Within a step, the arithmetic evaluates populations in order, one after the other. A chip takes a
step for each hop. So each population gets a depth, and what the arithmetic does at step `n` of
sample `m` happens there at step `m * timesteps + n + depth`. With s and t the depths of a
projection's source and target, its spikes have

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
    """The depth of each population (inputs 0) and the lag of each projection, both in steps."""

    depths: Mapping[str, int]
    lags: Mapping[str, int]

    def total_steps(self, timesteps: int, samples: int) -> int:
        """Return how many steps `samples` of `timesteps` each take, until all have passed."""
        return timesteps * samples + max(self.depths.values())


def schedule(network: Network) -> Schedule:
    """Return the smallest depths with a lag of at least one everywhere.

    Longest paths by Bellman and Ford. Raises `EngineError`, naming the cycle, where a cycle has
    more hops than delay: its spikes would have to arrive before a chip can carry them.
    """
    depths = {population.name: 0 for population in network.populations}
    last: dict[str, Projection] = {}  # which projection set each depth
    late = ""
    for _ in network.populations:
        late = ""
        for projection in network.projections:
            needed = depths[projection.source] + 1 - projection.delay
            if needed > depths[projection.target]:
                late = projection.target
                depths[late], last[late] = needed, projection
        if not late:
            break
    if late:
        raise EngineError(_describe_fast_cycle(_find_cycle(last, late)))
    lags = {p.name: depths[p.target] - depths[p.source] + p.delay for p in network.projections}
    return Schedule(MappingProxyType(depths), MappingProxyType(lags))


def _find_cycle(last: Mapping[str, Projection], late: str) -> list[Projection]:
    """Return the cycle that set the depth of `late`: back far enough, one is on it."""
    inside = last[late]
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
        f"{names}: this cycle has {len(cycle)} hops and a delay of {delay} in all, but a hop takes "
        f"a step on the chip; raise the delay of one by {missing}"
    )
