"""What the report shows of profiles: costs, placements and times as it draws them."""

from collections.abc import Iterable

from .. import report as reports
from ..deploy.cost.estimate import Cost, to_report_energy
from ..deploy.cost.latency import Latency
from ..deploy.profile import Profile, most_used_resource
from ..deploy.targets.target import Chip
from ..runtime import Core, Program


def to_energies(profiles: Iterable[Profile]) -> tuple[reports.Energy, ...]:
    """Return the bills of all targets that hold the network, by each of their lists."""
    return tuple(
        to_report_energy(each.cost, bill)
        for each in profiles
        if not each.placement_error
        for bill in each.cost.energies
    )


def to_placements(profiles: Iterable[Profile]) -> tuple[reports.Placement, ...]:
    """Return where the network stands on each target that has cores, or why it does not."""
    found = []
    for each in profiles:
        if each.program and each.target.chip:
            found.append(_to_placement(each, each.program, each.target.chip))
        elif each.placement_error:
            found.append(reports.Placement(each.target.title, error=each.placement_error))
    return tuple(found)


def _to_placement(profile: Profile, program: Program, chip: Chip) -> reports.Placement:
    limits, latencies = program.limits, profile.cost.latencies
    busy = latencies[0].busy_per_core if latencies else (0.0,) * len(program.cores)
    return reports.Placement(
        profile.target.title,
        min_cores=profile.lower_bound,
        chips=program.chips,
        width=chip.width.value,
        height=chip.height.value,
        cores_per_tile=chip.cores_per_tile.value,
        cores=tuple(
            _to_core_load(program, core, seconds)
            for core, seconds in zip(program.cores, busy, strict=True)
        ),
        population_usage=tuple(
            reports.PopulationUsage(
                use.population,
                use.neurons,
                use.cores,
                use.slices,
                use.largest_slice,
                {key: use.max.get(key, 0) / limit for key, limit in limits.items() if limit},
            )
            for use in profile.utilization
        ),
        timings=tuple(_to_timing(profile.cost, each) for each in latencies),
    )


def _to_core_load(program: Program, core: Core, seconds: float) -> reports.CoreLoad:
    scarcest, fill = most_used_resource(core.usage, program.limits)
    names = tuple(dict.fromkeys(part.population for part in core.slices))
    return reports.CoreLoad(core.chip, core.number, core.x, core.y, fill, scarcest, seconds, names)


def _to_timing(cost: Cost, latency: Latency) -> reports.Timing:
    return reports.Timing(
        f"{cost.title}, {latency.about}",
        "; ".join(latency.sources),
        latency.excludes,
        latency.depth,
        latency.mean_step,
        latency.max_step,
        latency.inference,
        latency.throughput,
    )
