"""Convert profiles of `pumice.deploy` to the report model: energy, placement, latency."""

from collections.abc import Iterable, Sequence

from ..deploy.c.profile import FirmwareProfile
from ..deploy.cost.energy import CERTAINTIES, EnergyEstimate
from ..deploy.cost.estimate import Cost, estimate_cost
from ..deploy.cost.latency import Latency
from ..deploy.profile import Profile, most_used_resource
from ..deploy.targets.target import Chip, Constant, Microcontroller, read_target
from ..runtime import Core, Network, Program, Trace
from .model import Energy
from .placement import CoreLoad, Placement, PopulationUsage, Range, Timing

DEFAULT_MODELS = (("loihi1", "davies2018"), ("cmos45", "float32"))
FIRMWARE = "instructions counted by QEMU"
UNITS = {"operations": "synaptic operations", "updates": "neuron updates"}


def to_energies(profiles: Iterable[Profile]) -> tuple[Energy, ...]:
    """Convert the energy estimates of all targets that hold the network, one per energy model."""
    return tuple(
        estimate
        for each in profiles
        if not each.placement_error
        for estimate in (
            *(_to_energy(each.cost, estimate) for estimate in each.cost.energies),
            *_firmware_energies(each),
        )
    )


def default_energies(network: Network, trace: Trace) -> tuple[Energy, ...]:
    """Estimate energy without a placement: Loihi 1 (Davies et al. 2018) and CMOS at 45 nm.

    Raises `EngineError` where spikes were not recorded.
    """
    costs = {name: estimate_cost(network, trace, read_target(name)) for name, _ in DEFAULT_MODELS}
    return tuple(
        _to_energy(costs[name], next(e for e in costs[name].energies if e.model == model))
        for name, model in DEFAULT_MODELS
    )


def _to_energy(cost: Cost, estimate: EnergyEstimate) -> Energy:
    """Convert an estimate, its items added up by population and unit of work."""
    populations: dict[str, dict[str, Range]] = {name: {} for name in estimate.sum_by("population")}
    for item in estimate.items:
        unit = UNITS.get(item.kind.split()[-1], "messages")
        _add_range(populations[item.population], unit, item.joules)
    joules: dict[str, Range] = {unit: (0.0, 0.0) for unit in UNITS.values()}
    for parts in populations.values():
        for unit, part in parts.items():
            _add_range(joules, unit, part)
    return Energy(
        model=f"{cost.title}, {estimate.about}",
        source="; ".join(estimate.sources),
        excludes=f"{estimate.excludes}; not measured",
        joules=joules,
        ann_energy=estimate.ann_energy,
        break_even=estimate.break_even,
        populations=populations,
        by_step=cost.energy_by_step[estimate.model],
        relative_error=estimate.error,
        certainty=estimate.certainty,
        target=cost.title,
    )


def _firmware_energies(profile: Profile) -> tuple[Energy, ...]:
    """Convert the energy of exported firmware: instructions times the energy of each."""
    firmware, mcu = profile.firmware, profile.target.mcu
    if firmware is None or mcu is None or not firmware.energy:
        return ()
    used = mcu.cycle, mcu.instruction
    return (
        Energy(
            model=f"{profile.target.title}, {FIRMWARE}",
            source="; ".join(profile.target.sources[each.source] for each in used),
            excludes=f"{mcu.excludes}; not measured",
            joules={"instructions": firmware.energy[-1]},
            ann_energy=0.0,
            break_even=0.0,
            by_step=firmware.energy,
            certainty=_least_certain(used),
            target=profile.target.title,
        ),
    )


def _least_certain(constants: Iterable[Constant]) -> str:
    return max((each.certainty for each in constants), key=CERTAINTIES.index)


def _add_range(ranges: dict[str, Range], key: str, added: Range) -> None:
    low, high = ranges.get(key, (0.0, 0.0))
    ranges[key] = low + added[0], high + added[1]


def to_placements(profiles: Iterable[Profile]) -> tuple[Placement, ...]:
    """Convert the placements on all targets that have cores or firmware, also those that failed."""
    placements = []
    for each in profiles:
        if each.program and each.target.chip:
            placements.append(_to_placement(each, each.program, each.target.chip))
        elif each.placement_error:
            placements.append(Placement(each.target.title, error=each.placement_error))
        elif each.firmware and each.target.mcu:
            placements.append(_to_firmware_placement(each, each.firmware, each.target.mcu))
    return tuple(placements)


def _to_firmware_placement(
    profile: Profile, firmware: FirmwareProfile, mcu: Microcontroller
) -> Placement:
    used = mcu.clock, mcu.instruction
    low, high = firmware.time[-1]
    timing = Timing(
        f"{profile.target.title}, {FIRMWARE}",
        "; ".join(profile.target.sources[each.source] for each in used),
        mcu.excludes,
        0,
        step=(low / len(firmware.time), high / len(firmware.time)),
        worst=_longest_step(firmware.time),
        inference=(low, high),
        throughput=(1 / high, 1 / low),
        certainty=_least_certain(used),
    )
    size = firmware.footprint
    memory = {"flash": (size.flash, mcu.flash.value), "RAM": (size.ram, mcu.ram.value)}
    return Placement(profile.target.title, timings=(timing,), memory=memory)


def _longest_step(times: Sequence[Range]) -> Range:
    """Longest timestep of cumulative `times`."""
    steps = [
        (last[0] - first[0], last[1] - first[1])
        for first, last in zip(((0.0, 0.0), *times), times, strict=False)
    ]
    return max(steps, key=lambda bounds: bounds[1])


def _to_placement(profile: Profile, program: Program, chip: Chip) -> Placement:
    limits, latencies = program.limits, profile.cost.latencies
    busy = latencies[0].busy_per_core if latencies else (0.0,) * len(program.cores)
    return Placement(
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
            PopulationUsage(
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


def _to_core_load(program: Program, core: Core, seconds: float) -> CoreLoad:
    bottleneck, utilization = most_used_resource(core.usage, program.limits)
    names = tuple(dict.fromkeys(part.population for part in core.slices))
    return CoreLoad(core.chip, core.number, core.x, core.y, utilization, bottleneck, seconds, names)


def _to_timing(cost: Cost, latency: Latency) -> Timing:
    return Timing(
        f"{cost.title}, {latency.about}",
        "; ".join(latency.sources),
        latency.excludes,
        latency.depth,
        latency.mean_step,
        latency.max_step,
        latency.inference,
        latency.throughput,
        latency.certainty,
    )
