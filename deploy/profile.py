"""A network on several targets: whether it fits, on which cores, and what it costs there."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..runtime import Network, Program, Trace
from ..runtime.errors import EngineError, PlacementError
from .bound import least_cores
from .cost import Cost, costed, document
from .demand import job
from .placement import place
from .target import Target
from .utilisation import Use, utilisation


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
    uses: tuple[Use, ...] = ()
    at_least: int = 0
    refusal: str = ""


def profiled(network: Network, trace: Trace, target: Target) -> Profile:
    """Place `network` on `target`, where that has cores, and cost it in `trace`.

    `trace` was recorded with `record="all"`; raises `EngineError` where it was not.
    """
    if target.chip is None:
        return Profile(target, costed(network, trace, target))
    try:
        program = place(network, target)
        bound = least_cores(job(network, target))
    except (PlacementError, EngineError) as error:
        return Profile(target, costed(network, trace, target), refusal=str(error))
    cost = costed(network, trace, target, program)
    return Profile(target, cost, program, utilisation(program, target), bound)


def fullest(usage: Mapping[str, float], limits: Mapping[str, int]) -> tuple[str, float]:
    """Return of which limit most is taken, and the share of it, from 0 to 1."""
    shares = {key: usage.get(key, 0) / limit for key, limit in limits.items() if limit}
    name = max(shares, key=lambda key: shares[key])
    return name, shares[name]


def profile_document(network: Network, trace: Trace, profiles: Iterable[Profile]) -> dict[str, Any]:
    """Return all figures of `profiles` as JSON values: those of `cost.document`, and where it fits.

    Under `placement` of each target: cores, chips, the lower bound, and use by population and core.
    """
    profiles = list(profiles)
    told = document(network, trace, [each.cost for each in profiles])
    for each, target in zip(profiles, told["targets"], strict=True):
        target["placement"] = _placement(each)
        target["refusal"] = each.refusal or None
    return told


def _placement(profile: Profile) -> dict[str, Any] | None:
    program = profile.program
    if program is None:
        return None
    return {
        "cores": len(program.cores),
        "at_least": profile.at_least,
        "chips": program.chips,
        "limits": dict(program.limits),
        "populations": [asdict(use) for use in profile.uses],
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
