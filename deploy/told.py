"""What the report shows of profiles: costs, placements and times as it draws them."""

from collections.abc import Iterable

from ..runtime import Core, Program
from ..runtime import report as reports
from .cost import Cost, told
from .latency import Latency
from .profile import Profile, fullest
from .target import Chip


def energies_told(profiles: Iterable[Profile]) -> tuple[reports.Energy, ...]:
    """Return the bills of all targets that hold the network, by each of their lists."""
    return tuple(
        told(each.cost, bill) for each in profiles if not each.refusal for bill in each.cost.bills
    )


def placements_told(profiles: Iterable[Profile]) -> tuple[reports.Placement, ...]:
    """Return where the network stands on each target that has cores, or why it does not."""
    found = []
    for each in profiles:
        if each.program and each.target.chip:
            found.append(_placement(each, each.program, each.target.chip))
        elif each.refusal:
            found.append(reports.Placement(each.target.title, refusal=each.refusal))
    return tuple(found)


def _placement(profile: Profile, program: Program, chip: Chip) -> reports.Placement:
    limits, latencies = program.limits, profile.cost.latencies
    busy = latencies[0].busy if latencies else (0.0,) * len(program.cores)
    return reports.Placement(
        profile.target.title,
        at_least=profile.at_least,
        chips=program.chips,
        width=chip.width.value,
        height=chip.height.value,
        on_tile=chip.cores_per_tile.value,
        cores=tuple(
            _core(program, core, seconds) for core, seconds in zip(program.cores, busy, strict=True)
        ),
        uses=tuple(
            reports.PopulationUse(
                use.population,
                use.neurons,
                use.cores,
                use.slices,
                use.largest,
                {key: use.most.get(key, 0) / limit for key, limit in limits.items() if limit},
            )
            for use in profile.uses
        ),
        timings=tuple(_timing(profile.cost, each) for each in latencies),
    )


def _core(program: Program, core: Core, seconds: float) -> reports.CoreLoad:
    scarcest, fill = fullest(core.usage, program.limits)
    names = tuple(dict.fromkeys(part.population for part in core.slices))
    return reports.CoreLoad(core.chip, core.number, core.x, core.y, fill, scarcest, seconds, names)


def _timing(cost: Cost, latency: Latency) -> reports.Timing:
    return reports.Timing(
        f"{cost.title}, {latency.about}",
        "; ".join(latency.sources),
        latency.excludes,
        latency.depth,
        latency.step,
        latency.worst,
        latency.inference,
        latency.throughput,
    )
