"""Tables of a profile: counts, placement, and every term of each energy and latency estimate."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from .output import print_columns, print_facts, print_text

if TYPE_CHECKING:
    from ..deploy.cost.energy import EnergyEstimate
    from ..deploy.cost.estimate import Cost
    from ..deploy.cost.latency import Latency
    from ..deploy.lava import ProcessTime
    from ..deploy.profile import Profile
    from ..runtime import Network, Trace
    from ..runtime.host_timing import HostTiming

Range = tuple[float, float]


def print_profile(
    network: "Network",
    trace: "Trace",
    name: str,
    profiles: "Sequence[Profile]",
) -> None:
    """Print operation counts, placements, and every term of each energy and latency estimate."""
    from ..runtime.encoders.inputs import count_network_encoder_ops
    from ..runtime.op_counts import count_ops

    counts = count_ops(network, trace)
    facts = {
        "inputs": f"{trace.batch:,} samples of {name}, {trace.timesteps} timesteps each",
        "per inference (mean)": f"{counts.total_events.mean():,.1f} events, "
        f"{counts.total_synaptic_operations.mean():,.1f} synaptic operations, "
        f"{counts.total_neuron_updates:,} neuron updates",
        "network": f"{sum(p.neurons for p in network.topological_order):,} neurons, "
        f"{counts.synapses:,} synapses",
    }
    if network.encoders:
        ops = count_network_encoder_ops(network)
        facts["encoder"] = (
            f"{ops.multiplications:,} multiplications and {ops.additions:,} additions per timestep,"
            " which only the cost on a microcontroller includes"
        )
    print_facts(facts)
    _print_fit(profiles)
    for profile in profiles:
        if profile.placement_error:
            continue
        if profile.firmware:
            typer.echo(f"\n{profile.summary()}")
            continue
        _print_usage(profile)
        for estimate in profile.cost.energies:
            _print_energy(profile.cost, estimate)
        _print_population_energy(profile.cost)
        for latency in profile.cost.latencies:
            _print_latency(profile.cost, latency)


def print_machine(host: "HostTiming | None", processes: "Sequence[ProcessTime]") -> None:
    """Print the measurements on this machine: single samples, and Lava processes."""
    from ..report.format import format_time

    if host:
        _print_host(host)
    if processes:
        typer.echo("\nLava's simulator: mean time per step of each process, on one sample")
        rows = [(p.process, p.kind, format_time(p.busy), format_time(p.elapsed)) for p in processes]
        print_columns(("process", "kind", "busy", "elapsed"), rows, (2, 3))


def _print_fit(profiles: "Sequence[Profile]") -> None:
    from ..deploy.profile import most_used_resource
    from ..report.format import format_percent

    rows = []
    for each in profiles:
        name = each.target.name
        if each.placement_error:
            rows.append((name, "does not fit", *[""] * 6))
        elif each.firmware:
            rows.append((name, "firmware", *[""] * 6))
        elif each.program is None or each.cost.traffic is None:
            rows.append((name, "none", *[""] * 6))
        else:
            program, traffic = each.program, each.cost.traffic
            full = [most_used_resource(core.usage, program.limits) for core in program.cores]
            resource, fraction = max(full, key=lambda pair: pair[1])
            hops = sum(traffic.hops_x.values()), sum(traffic.hops_y.values())
            rows.append(
                (
                    name,
                    f"{len(program.cores):,}",
                    f"{each.lower_bound:,}",
                    f"{program.chips:,}",
                    f"{format_percent(fraction)} of {resource}",
                    f"{sum(traffic.messages.values()):,.1f}",
                    f"{hops[0]:,.1f}",
                    f"{hops[1]:,.1f}",
                )
            )
    typer.echo()
    header = ("target", "cores", "min", "chips", "fullest core", "messages", "hops x", "hops y")
    print_columns(header, rows, (1, 2, 3, 5, 6, 7))
    for each in profiles:
        if each.placement_error:
            print_text(f"{each.target.title} cannot hold the network. {each.placement_error}")


def _print_usage(profile: "Profile") -> None:
    if profile.program is None:
        return
    limits = {key: limit for key, limit in profile.program.limits.items() if limit}
    rows = [
        (
            use.population,
            f"{use.neurons:,}",
            str(use.cores),
            str(use.slices),
            "x".join(map(str, use.largest_slice)),
        )
        for use in profile.utilization
    ]
    typer.echo(f"\n{profile.target.title}: placement")
    print_columns(("population", "neurons", "cores", "slices", "largest slice"), rows, (1, 2, 3))
    fractions = [
        (
            use.population,
            *(f"{100 * use.max.get(key, 0) / limit:.1f} %" for key, limit in limits.items()),
        )
        for use in profile.utilization
    ]
    typer.echo(f"\n{profile.target.title}: maximum utilization of a core by one slice")
    print_columns(("population", *limits), fractions, range(1, len(limits) + 1))


def _print_energy(cost: "Cost", estimate: "EnergyEstimate") -> None:
    """Print the terms of an estimate; their sum, with the error of the model, is the total."""
    rows = [
        (kind, _format_count(count), _format_price(price, 1e12, "pJ"), _format_energy(total))
        for kind, (count, price, total) in group_by_kind(estimate).items()
    ]
    about = f"{cost.title}, {estimate.about} ({estimate.model}, {estimate.certainty})"
    typer.echo()
    print_text(f"{about}: energy per inference")
    error = f"\u00b1 {100 * estimate.error:g} %" if estimate.error else ""
    rows.append(("total", error, "", _format_energy(estimate.total)))
    print_columns(("operation", "count", "energy each", "energy"), rows, (1, 2, 3))
    synapses = cost.workload.synapses
    mac = estimate.ann_energy / max(synapses, 1)
    per_synapse = sum(cost.workload.synaptic_operations.values()) / max(synapses, 1)
    print_text(
        f"ANN baseline: {synapses:,} multiply-accumulates x {mac * 1e12:.6g} pJ = "
        f"{_format_energy((estimate.ann_energy,) * 2)}. The synaptic energy equals it at "
        f"{estimate.break_even:.4g} operations per synapse; this network has {per_synapse:.4g}."
    )
    print_text(f"Excludes: {estimate.excludes}.")


def _print_population_energy(cost: "Cost") -> None:
    """Print the energy of each population by each model, without the errors of the models."""
    tables = [estimate.sum_by("population") for estimate in cost.energies]
    names = [p.name for p in cost.workload.network.populations if any(p.name in t for t in tables)]
    rows = [(name, *(_format_energy(t.get(name, (0.0, 0.0))) for t in tables)) for name in names]
    typer.echo(f"\n{cost.title}: energy per inference by population")
    header = ("population", *(estimate.model for estimate in cost.energies))
    print_columns(header, rows, range(1, len(header)))


def group_by_kind(estimate: "EnergyEstimate") -> dict[str, tuple[Range, Range, Range]]:
    """Sum count, price and energy of an estimate by the kind of operation."""
    groups: dict[str, tuple[Range, Range, Range]] = {}
    for item in estimate.items:
        count, _, total = groups.get(item.kind, ((0.0, 0.0), item.price, (0.0, 0.0)))
        groups[item.kind] = (
            (count[0] + item.count[0], count[1] + item.count[1]),
            item.price,
            (total[0] + item.joules[0], total[1] + item.joules[1]),
        )
    return groups


def _print_latency(cost: "Cost", latency: "Latency") -> None:
    from ..report.format import format_si, format_time_range

    typer.echo()
    print_text(f"{cost.title}, {latency.about} ({latency.model}, {latency.certainty}): time")
    slow, fast = latency.throughput
    steps = f"{cost.workload.timesteps} steps and {latency.depth} of pipeline delay"
    print_facts(
        {
            "mean step": format_time_range(latency.mean_step),
            "inference": f"{format_time_range(latency.inference)}: {steps}",
            "throughput": f"{slow:,.0f} to {fast:,.0f} inferences per second",
            "longest step": f"{format_time_range(latency.max_step)}; upper bound on its busiest "
            "core:",
        }
    )
    rows = [
        (
            item.kind,
            _format_count((item.count,) * 2),
            f"{item.price * 1e9:.6g} ns",
            format_si(item.count * item.price, "s", 4),
        )
        for item in latency.max_step_items
    ]
    error = f"+ {100 * latency.error:g} %" if latency.error else ""
    total = ("longest step", error, "", format_si(latency.max_step[1], "s", 4))
    print_columns(("operation", "count", "time each", "time"), [*rows, total], (1, 2, 3))
    print_text(f"Excludes: {latency.excludes}.")


def _print_host(host: "HostTiming") -> None:
    from ..report.format import format_energy, format_time

    typer.echo(
        f"\nThis machine: {host.processor}, engine {host.engine}, {host.runs} single samples"
    )
    rows = [
        (name, *map(format_time, percentiles))
        for name, percentiles in (("step", host.step), ("inference", host.inference))
        if percentiles
    ]
    print_columns(("duration of", "p50", "p95", "p99"), rows, (1, 2, 3))
    energy = "no readable RAPL counter" if host.joules is None else format_energy(host.joules)
    typer.echo(f"Energy per inference, including idle power: {energy}.")


def _format_count(count: Range) -> str:
    low, high = (f"{value:,.1f}".removesuffix(".0") for value in count)
    return low if low == high else f"{low} to {high}"


def _format_price(price: Range, scale: float, unit: str) -> str:
    low, high = (f"{value * scale:.6g}" for value in price)
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


def _format_energy(total: Range) -> str:
    from ..report.format import format_short_range, format_si

    return format_short_range(total, lambda value: format_si(value, "J", 4))
