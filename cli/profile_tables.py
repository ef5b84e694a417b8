"""A profile as tables that can be worked out again by hand, and as lines of CSV."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .output import print_columns, print_facts

if TYPE_CHECKING:
    from ..deploy.cost.energy import EnergyEstimate
    from ..deploy.cost.estimate import Cost
    from ..deploy.cost.latency import Latency
    from ..deploy.lava import ProcessTime
    from ..deploy.profile import Profile
    from ..report import HostTiming
    from ..runtime import Network, Trace

Range = tuple[float, float]
COLUMNS = (
    "target",
    "list",
    "certainty",
    "part",
    "population",
    "what",
    "count_least",
    "count_most",
    "each_least",
    "each_most",
    "unit",
    "least",
    "most",
)


def print_profile(
    network: "Network",
    trace: "Trace",
    name: str,
    profiles: "Sequence[Profile]",
) -> None:
    """Print what was counted, where it fits, and each bill and time with all that it adds up."""
    from ..runtime.op_counts import count_ops

    counts = count_ops(network, trace)
    facts = {
        "counted on": f"{trace.batch:,} samples of {name}, {trace.timesteps} timesteps each",
        "an inference": f"{counts.total_events.mean():,.3f} events, "
        f"{counts.total_synaptic_operations.mean():,.3f} synaptic operations, "
        f"{counts.total_neuron_updates:,} neuron updates (means)",
        "the network": f"{sum(p.neurons for p in network.topological_order):,} neurons, "
        f"{counts.synapses:,} connections",
    }
    print_facts(facts)
    _print_fit(profiles)
    for profile in profiles:
        if profile.placement_error:
            continue
        _print_usage(profile)
        for bill in profile.cost.energies:
            _print_energy(profile.cost, bill)
        _print_population_energy(profile.cost)
        for latency in profile.cost.latencies:
            _print_latency(profile.cost, latency)


def print_machine(host: "HostTiming | None", processes: "Sequence[ProcessTime]") -> None:
    """Print what was measured on this machine: single samples, and Lava's processes."""
    from ..report.format import format_time

    if host:
        _print_host(host)
    if processes:
        typer.echo("\nLava's simulator: a step of each process, mean over one sample")
        rows = [(p.process, p.kind, format_time(p.busy), format_time(p.elapsed)) for p in processes]
        print_columns(("process", "kind", "works", "works and waits"), rows, (2, 3))


def _print_fit(profiles: "Sequence[Profile]") -> None:
    from ..deploy.profile import most_used_resource
    from ..report.format import format_percent

    rows = []
    for each in profiles:
        if each.placement_error:
            rows.append((each.target.title, "does not fit", *[""] * 6))
        elif each.program is None or each.cost.traffic is None:
            rows.append((each.target.title, "no cores: arithmetic alone", *[""] * 6))
        else:
            program, traffic = each.program, each.cost.traffic
            full = [most_used_resource(core.usage, program.limits) for core in program.cores]
            name, share = max(full, key=lambda pair: pair[1])
            hops = sum(traffic.hops_x.values()), sum(traffic.hops_y.values())
            rows.append(
                (
                    each.target.title,
                    f"{len(program.cores):,}",
                    f"{each.lower_bound:,}",
                    f"{program.chips:,}",
                    f"{format_percent(share)} of {name}",
                    f"{sum(traffic.messages.values()):,.3f}",
                    f"{hops[0]:,.3f}",
                    f"{hops[1]:,.3f}",
                )
            )
    typer.echo()
    header = ("target", "cores", "at least", "chips", "fullest", "messages", "hops x", "hops y")
    print_columns(header, rows, (1, 2, 3, 5, 6, 7))
    for each in profiles:
        if each.placement_error:
            typer.echo(f"{each.target.title} does not hold it. {each.placement_error}")


def _print_usage(profile: "Profile") -> None:
    if profile.program is None:
        return
    limits = {key: limit for key, limit in profile.program.limits.items() if limit}
    header = ("population", "neurons", "cores", "slices", "largest", *limits)
    rows = [
        (
            use.population,
            f"{use.neurons:,}",
            str(use.cores),
            str(use.slices),
            "x".join(map(str, use.largest_slice)),
            *(f"{100 * use.max.get(key, 0) / limit:.1f} %" for key, limit in limits.items()),
        )
        for use in profile.utilization
    ]
    typer.echo(f"\n{profile.target.title}: the most that a slice takes of a core")
    print_columns(header, rows, (1, 2, 3, *range(5, len(header))))


def _print_energy(cost: "Cost", bill: "EnergyEstimate") -> None:
    """Print a bill: the lines add up, and with the error of the list make the total."""
    rows = [
        (kind, _format_count(count), _format_price(price, 1e12, "pJ"), _format_energy(total))
        for kind, (count, price, total) in group_by_kind(bill).items()
    ]
    typer.echo(
        f"\n{cost.title}, {bill.about} ({bill.model}, {bill.certainty}): energy an inference"
    )
    error = f"{100 * bill.error:g} % either way" if bill.error else ""
    print_columns(
        ("what", "count", "each", "energy"), [*rows, ("total", error, "", _format_energy(bill.total))],
        (1, 2, 3),
    )  # fmt: skip
    connections, product = (
        cost.workload.synapses,
        bill.ann_energy / max(cost.workload.synapses, 1),
    )
    here = sum(cost.workload.synaptic_operations.values()) / max(connections, 1)
    typer.echo(
        f"The same network as an ANN: {connections:,} connections x {product * 1e12:.6g} pJ = "
        f"{_format_energy((bill.ann_energy,) * 2)}. Synapses alone break even at "
        f"{bill.break_even:.4g} operations a connection; here {here:.4g}."
    )
    typer.echo(f"Leaves out: {bill.excludes}.")


def _print_population_energy(cost: "Cost") -> None:
    """Print what each population costs by each list, before the errors of the lists."""
    tables = [bill.sum_by("population") for bill in cost.energies]
    names = [p.name for p in cost.workload.network.populations if any(p.name in t for t in tables)]
    rows = [(name, *(_format_energy(t.get(name, (0.0, 0.0))) for t in tables)) for name in names]
    typer.echo(f"\n{cost.title}: energy an inference by population")
    header = ("population", *(bill.model for bill in cost.energies))
    print_columns(header, rows, range(1, len(header)))


def group_by_kind(bill: "EnergyEstimate") -> dict[str, tuple[Range, Range, Range]]:
    """Return for each kind of work its count, its price each, and what that comes to."""
    found: dict[str, tuple[Range, Range, Range]] = {}
    for item in bill.items:
        count, _, total = found.get(item.kind, ((0.0, 0.0), item.price, (0.0, 0.0)))
        found[item.kind] = (
            (count[0] + item.count[0], count[1] + item.count[1]),
            item.price,
            (total[0] + item.joules[0], total[1] + item.joules[1]),
        )
    return found


def _print_latency(cost: "Cost", latency: "Latency") -> None:
    from ..report.format import format_si, format_time_range

    typer.echo(f"\n{cost.title}, {latency.about} ({latency.model}, {latency.certainty}): time")
    slow, fast = latency.throughput
    print_facts(
        {
            "a step": format_time_range(latency.mean_step),
            "an inference": f"{format_time_range(latency.inference)}: {cost.workload.timesteps} steps, and "
            f"{latency.depth} until the answer is through",
            "throughput": f"{slow:,.0f} to {fast:,.0f} inferences a second",
            "the longest step": f"{format_time_range(latency.max_step)}; its busiest core, at the most:",
        }
    )
    rows = [
        (
            share.kind,
            _format_count((share.count,) * 2),
            f"{share.price * 1e9:.6g} ns",
            format_si(share.count * share.price, "s", 4),
        )
        for share in latency.max_step_items
    ]
    error = f"{100 * latency.error:g} % more" if latency.error else ""
    total = ("the longest step", error, "", format_si(latency.max_step[1], "s", 4))
    print_columns(("what", "count", "each", "time"), [*rows, total], (1, 2, 3))
    typer.echo(f"Leaves out: {latency.excludes}.")


def _print_host(host: "HostTiming") -> None:
    from ..report.format import format_energy, format_time

    typer.echo(
        f"\nThis machine: {host.processor}, engine {host.engine}, {host.runs} single samples"
    )
    rows = [
        (what, *map(format_time, three))
        for what, three in (("a step", host.step), ("an inference", host.inference))
        if three
    ]
    print_columns(("what", "p50", "p95", "p99"), rows, (1, 2, 3))
    told = "no RAPL counter can be read here" if host.joules is None else format_energy(host.joules)
    typer.echo(f"Energy an inference, idle power included: {told}.")


def write_csv(path: Path, profiles: "Sequence[Profile]") -> None:
    """Write every line of every bill and time of `profiles`; raises `FileError` where it cannot."""
    from ..runtime.files import atomic_write

    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for profile in profiles:
        writer.writerows(_csv_rows(profile))
    with atomic_write(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _csv_rows(profile: "Profile") -> Iterator[tuple[object, ...]]:
    cost, name = profile.cost, profile.target.name
    if profile.placement_error:
        yield name, "", "", "placement_error", "", profile.placement_error, *[""] * 7
        return
    if profile.program:
        for what, number in (
            ("cores", len(profile.program.cores)),
            ("cores at least", profile.lower_bound),
            ("chips", profile.program.chips),
        ):
            yield name, "", "", "placement", "", what, number, number, "", "", "", "", ""
    for bill in cost.energies:
        about = name, bill.model, bill.certainty, "energy"
        for item in bill.items:
            yield *about, item.population, item.kind, *item.count, *item.price, "J", *item.joules
        yield *about, "", "total", "", "", "", "", "J", *bill.total
        yield *about, "", "as an ANN", "", "", "", "", "J", *(bill.ann_energy,) * 2
    for latency in cost.latencies:
        about = name, latency.model, latency.certainty, "time"
        for what in ("mean_step", "max_step", "inference"):
            yield *about, "", what, "", "", "", "", "s", *getattr(latency, what)
        yield *about, "", "throughput", "", "", "", "", "1/s", *latency.throughput


def _format_count(count: Range) -> str:
    least, most = (f"{value:,.3f}".rstrip("0").rstrip(".") for value in count)
    return least if least == most else f"{least} to {most}"


def _format_price(price: Range, scale: float, unit: str) -> str:
    least, most = (f"{value * scale:.6g}" for value in price)
    return f"{least} {unit}" if least == most else f"{least} to {most} {unit}"


def _format_energy(total: Range) -> str:
    from ..report.format import format_range, format_si

    return format_range(total, lambda value: format_si(value, "J", 4))
