"""Profile: placement, energy, latency and utilization of a network on a target."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..runtime import Network, Program, Trace
from ..runtime.errors import EngineError, PlacementError
from ..runtime.text_table import TextTable, count_of
from .c.profile import FirmwareProfile, profile_firmware
from .cost.energy import Range
from .cost.estimate import STATIC_POWER_NOTE, Cost, costs_to_dict, estimate_cost
from .placement.lower_bound import min_cores
from .placement.place import PlacementSolution, solve_placement
from .placement.problem import make_problem
from .placement.utilization import PopulationUsage, compute_utilization
from .targets.target import Target, TargetLike, as_target, list_targets


@dataclass(frozen=True, repr=False)
class Profile:
    """Profile of a network on a target.

    Attributes:
        target: The target.
        cost: Operations, energy and latency of one inference. Without a program these are the
            operations and their energy alone.
        program: The placement; None if the target has no cores or does not hold the network.
        utilization: Cores and resources by population.
        lower_bound: Number of cores below which no placement exists.
        placement_error: If the target does not hold the network, the limit, the excess and a
            remedy; else empty.
        firmware: Memory, instructions, time and energy of the exported firmware; None if the target
            is no microcontroller.
    """

    target: Target
    cost: Cost
    program: Program | None = None
    utilization: tuple[PopulationUsage, ...] = ()
    lower_bound: int = 0
    placement_error: str = ""
    firmware: FirmwareProfile | None = None

    def __repr__(self) -> str:
        """Describe in one line."""
        parts = [self.target.name]
        if self.program:
            parts.append(count_of(len(self.program.cores), "core"))
        if self.placement_error:
            parts.append(f"not placed: {self.placement_error}")
        if self.firmware:
            footprint = self.firmware.footprint
            parts.append(f"flash {footprint.flash:,} bytes, RAM {footprint.ram:,} bytes")
            parts += [f"{_format_range(each, 1e3)} mJ" for each in self.firmware.energy[-1:]]
            parts += [f"{_format_range(each, 1e3)} ms" for each in self.firmware.time[-1:]]
        parts += [f"{_microjoules(each.total)} ({each.model})" for each in self.cost.energies[:1]]
        parts += [f"{_microseconds(each.inference)}" for each in self.cost.latencies[:1]]
        return f"Profile({', '.join(parts)})"

    def _repr_html_(self) -> str:
        return self.summary()._repr_html_()

    def summary(self) -> "ProfileSummary":
        """Summarize utilization, energy and latency; prints as tables."""
        return ProfileSummary(tuple(_summary_tables(self)))


@dataclass(frozen=True, repr=False)
class ProfileSummary:
    """Printable summary of a profile: utilization, energy and latency."""

    tables: tuple[TextTable, ...]

    def __str__(self) -> str:
        """Format as tables of text."""
        return "\n\n".join(map(str, self.tables))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self.tables)


def profile(network: Network | Program, trace: Trace, target: TargetLike | None = None) -> Profile:
    """Estimate energy, latency and utilization of a network on a target, on recorded samples.

    Args:
        network: A program, which is profiled as it is placed, or a network, which is placed first.
        trace: A run of it with every spike recorded (`record="all"`).
        target: A target, its name or the path of its TOML file. A program on a shipped target needs
            none.

    Returns:
        The profile. If the target has too few resources for the network, its `placement_error` says
        so.

    Raises:
        PlacementError: `target` is missing, or is another than that of the program.
        EngineError: The trace lacks spikes.
        RecipeError: `target` names no target, or its file is invalid.
    """
    if isinstance(network, Program):
        chosen = _target_of_program(network, target)
        problem = make_problem(network.network, chosen)
        solution = PlacementSolution(problem, min_cores(problem), network)
        return _profile_solution(solution, trace)
    if target is None:
        raise PlacementError(
            f"profile: a network needs a target, one of {', '.join(list_targets())}; pass "
            "profile(network, trace, target), or place it first"
        )
    chosen = as_target(target)
    if chosen.mcu:
        firmware = profile_firmware(network, trace, chosen.mcu)
        cost = estimate_cost(network, trace, chosen)
        return Profile(chosen, cost, placement_error=firmware.error, firmware=firmware)
    if chosen.chip is None:
        return Profile(chosen, estimate_cost(network, trace, chosen))
    try:
        solution = solve_placement(make_problem(network, chosen))
    except (PlacementError, EngineError) as error:
        return Profile(chosen, estimate_cost(network, trace, chosen), placement_error=str(error))
    return _profile_solution(solution, trace)


def _target_of_program(program: Program, target: TargetLike | None) -> Target:
    if target is None:
        if program.target not in list_targets():
            raise PlacementError(
                f"{program.target}: not a shipped target; pass the one that the program was placed "
                "on: profile(program, trace, target)"
            )
        return as_target(program.target)
    chosen = as_target(target)
    if chosen.name != program.target:
        raise PlacementError(
            f"profile: the program is placed on {program.target}, but the target is {chosen.name}; "
            f"place its network there: place(program.network, {chosen.name!r})"
        )
    return chosen


def _profile_solution(solution: PlacementSolution, trace: Trace) -> Profile:
    problem, program = solution.problem, solution.program
    return Profile(
        problem.target,
        estimate_cost(problem.network, trace, problem.target, program),
        program,
        compute_utilization(problem, program),
        solution.lower_bound,
    )


def most_used_resource(usage: Mapping[str, float], limits: Mapping[str, int]) -> tuple[str, float]:
    """Find the resource of which the largest fraction is used, and that fraction (0 to 1)."""
    fractions = {key: usage.get(key, 0) / limit for key, limit in limits.items() if limit}
    name = max(fractions, key=lambda key: fractions[key])
    return name, fractions[name]


def profiles_to_dict(network: Network, trace: Trace, profiles: Iterable[Profile]) -> dict[str, Any]:
    """Convert `profiles` to JSON values: those of `costs_to_dict`, and the placement.

    Under `placement` of each target: cores, chips, the lower bound, and usage by population and by
    core; under `placement_error` the reason if there is none.
    """
    profiles = list(profiles)
    document = costs_to_dict(network, trace, [each.cost for each in profiles])
    for each, target in zip(profiles, document["targets"], strict=True):
        target["placement"] = _placement_to_dict(each)
        target["firmware"] = asdict(each.firmware) if each.firmware else None
        target["placement_error"] = each.placement_error or None
    return document


def _placement_to_dict(profile: Profile) -> dict[str, Any] | None:
    program = profile.program
    if program is None:
        return None
    return {
        "cores": len(program.cores),
        "lower_bound": profile.lower_bound,
        "chips": program.chips,
        "limits": dict(program.limits),
        "populations": [asdict(usage) for usage in profile.utilization],
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


def _summary_tables(profile: Profile) -> Iterator[TextTable]:
    cost, target = profile.cost, profile.target
    if profile.firmware:
        yield firmware_table(profile)
        return
    if profile.program:
        limits = {key: limit for key, limit in profile.program.limits.items() if limit}
        yield TextTable(
            ("population", "neurons", "slices", "cores", *limits),
            tuple(
                (
                    usage.population,
                    f"{usage.neurons:,}",
                    f"{usage.slices:,}",
                    f"{usage.cores:,}",
                    *(f"{usage.max.get(key, 0) / limit:.1%}" for key, limit in limits.items()),
                )
                for usage in profile.utilization
            ),
            ("neurons", "slices", "cores", *limits),
            title=f"{target.title}: maximum utilization of a core by one slice",
            footer=(
                f"{count_of(len(profile.program.cores), 'core')} on "
                f"{count_of(profile.program.chips, 'chip')}; "
                f"lower bound {count_of(profile.lower_bound, 'core')}"
            ),
        )
    yield TextTable(
        ("price list", "certainty", "energy per inference", "as an ANN"),
        tuple(
            (
                f"{each.about} ({each.model})",
                each.certainty,
                _microjoules(each.total),
                _microjoules((each.ann_energy,) * 2),
            )
            for each in cost.energies
        ),
        ("energy per inference", "as an ANN"),
        title=profile.placement_error or f"{target.title}: energy",
        footer=STATIC_POWER_NOTE,
    )
    if cost.latencies:
        yield TextTable(
            ("price list", "certainty", "step", "inference", "inferences per second"),
            tuple(
                (
                    f"{each.about} ({each.model})",
                    each.certainty,
                    _microseconds(each.mean_step),
                    _microseconds(each.inference),
                    _format_range(each.throughput),
                )
                for each in cost.latencies
            ),
            ("step", "inference", "inferences per second"),
            title=f"{target.title}: latency",
        )


def firmware_table(profile: Profile) -> TextTable:
    """Tabulate instructions, time and energy of firmware by timestep."""
    firmware, mcu = profile.firmware, profile.target.mcu
    assert firmware and mcu
    rows = zip(firmware.instructions, firmware.time, firmware.energy, strict=True)
    size = firmware.footprint
    memory = (
        f"flash {size.flash:,} of {mcu.flash.value:,} bytes (code {size.code:,}, tables "
        f"{size.tables:,}), RAM {size.ram:,} of {mcu.ram.value:,} bytes (buffers {size.buffers:,}, "
        f"stack {size.stack:,})"
    )
    return TextTable(
        ("timesteps", "instructions", "time", "energy"),
        tuple(
            (
                str(step),
                f"{count:,.0f}",
                f"{_format_range(time, 1e3)} ms",
                f"{_format_range(energy, 1e3)} mJ",
            )
            for step, (count, time, energy) in enumerate(rows, 1)
        ),
        ("timesteps", "instructions", "time", "energy"),
        title=f"{profile.target.title}: {firmware.error or memory}",
        footer=f"instructions: counted by QEMU on {count_of(firmware.samples, 'sample')}; "
        f"excludes {mcu.excludes}",
    )


def _format_range(values: Range, scale: float = 1.0) -> str:
    low, high = (f"{value * scale:,.4g}" for value in values)
    return low if low == high else f"{low} to {high}"


def _microjoules(joules: Range) -> str:
    return f"{_format_range(joules, 1e6)} µJ"


def _microseconds(seconds: Range) -> str:
    return f"{_format_range(seconds, 1e6)} µs"
