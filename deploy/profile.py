"""A network on several targets: whether it fits, on which cores, and what it costs there."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..runtime import Network, Program, Trace
from ..runtime.errors import EngineError, PlacementError
from .cost.estimate import Cost, costs_to_dict, estimate_cost
from .placement.lower_bound import min_cores
from .placement.place import place
from .placement.problem import make_problem
from .placement.utilization import PopulationUsage, compute_utilization
from .targets.target import Target


@dataclass(frozen=True)
class Profile:
    """What became of a network on a `target`.

    On a target with cores either `program`, its `uses` and `at_least`, below which no placement
    has fewer cores, are there, or `refusal` says what does not fit, by how much and what helps;
    `cost` then tells the work alone.
    """

    target: Target
    cost: Cost
    program: Program | None = None
    utilization: tuple[PopulationUsage, ...] = ()
    lower_bound: int = 0
    placement_error: str = ""


def profile(network: Network, trace: Trace, target: Target) -> Profile:
    """Place `network` on `target`, where that has cores, and cost it in `trace`.

    `trace` was recorded with `record="all"`; raises `EngineError` where it was not.
    """
    if target.chip is None:
        return Profile(target, estimate_cost(network, trace, target))
    try:
        program = place(network, target)
        bound = min_cores(make_problem(network, target))
    except (PlacementError, EngineError) as error:
        return Profile(target, estimate_cost(network, trace, target), placement_error=str(error))
    cost = estimate_cost(network, trace, target, program)
    return Profile(target, cost, program, compute_utilization(program, target), bound)


def most_used_resource(usage: Mapping[str, float], limits: Mapping[str, int]) -> tuple[str, float]:
    """Return of which limit most is taken, and the share of it, from 0 to 1."""
    shares = {key: usage.get(key, 0) / limit for key, limit in limits.items() if limit}
    name = max(shares, key=lambda key: shares[key])
    return name, shares[name]


def profiles_to_dict(network: Network, trace: Trace, profiles: Iterable[Profile]) -> dict[str, Any]:
    """Return all figures of `profiles` as JSON values: those of `cost.document`, and where it fits.

    Under `placement` of each target: cores, chips, the lower bound, and use by population and core.
    """
    profiles = list(profiles)
    told = costs_to_dict(network, trace, [each.cost for each in profiles])
    for each, target in zip(profiles, told["targets"], strict=True):
        target["placement"] = _placement_to_dict(each)
        target["refusal"] = each.placement_error or None
    return told


def _placement_to_dict(profile: Profile) -> dict[str, Any] | None:
    program = profile.program
    if program is None:
        return None
    return {
        "cores": len(program.cores),
        "at_least": profile.lower_bound,
        "chips": program.chips,
        "limits": dict(program.limits),
        "populations": [asdict(use) for use in profile.utilization],
        "per_core": [
            {
                "chip": core.chip,
                "core": core.number,
                "x": core.x,
                "y": core.y,
                "usage": dict(core.usage),
                "slices": [asdict(part) for part in core.slices],
            }
            for core in program.cores
        ],
    }
