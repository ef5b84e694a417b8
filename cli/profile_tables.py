"""A profile as tables that can be worked out again by hand, and as lines of CSV."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .output import print_columns, print_facts

if TYPE_CHECKING:
    from ..deploy.cost import Cost
    from ..deploy.energy import Bill
    from ..deploy.latency import Latency
    from ..deploy.lava import ProcessTime
    from ..deploy.profile import Profile
    from ..runtime import Network, Trace
    from ..runtime.report import Host

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


def show(
    network: "Network",
    trace: "Trace",
    name: str,
    profiles: "Sequence[Profile]",
) -> None:
    """Print what was counted, where it fits, and each bill and time with all that it adds up."""
    from ..runtime.counts import counted

    counts = counted(network, trace)
    facts = {
        "counted on": f"{trace.batch:,} samples of {name}, {trace.timesteps} timesteps each",
        "an inference": f"{counts.total_events.mean():,.3f} events, "
        f"{counts.total_operations.mean():,.3f} synaptic operations, "
        f"{counts.total_updates:,} neuron updates (means)",
        "the network": f"{sum(p.neurons for p in network.order):,} neurons, "
        f"{counts.connections:,} connections",
    }
    print_facts(facts)
    _fits(profiles)
    for profile in profiles:
        if profile.refusal:
            continue
        _uses(profile)
        for bill in profile.cost.bills:
            _bill(profile.cost, bill)
        _populations(profile.cost)
        for latency in profile.cost.latencies:
            _latency(profile.cost, latency)


def show_machine(host: "Host | None", processes: "Sequence[ProcessTime]") -> None:
    """Print what was measured on this machine: single samples, and Lava's processes."""
    from ..runtime.report.words import seconds

    if host:
        _host(host)
    if processes:
        typer.echo("\nLava's simulator: a step of each process, mean over one sample")
        rows = [(p.process, p.kind, seconds(p.busy), seconds(p.waiting)) for p in processes]
        print_columns(("process", "kind", "works", "works and waits"), rows, (2, 3))


def _fits(profiles: "Sequence[Profile]") -> None:
    from ..deploy.profile import fullest
    from ..runtime.report.words import percent

    rows = []
    for each in profiles:
        if each.refusal:
            rows.append((each.target.title, "does not fit", *[""] * 6))
        elif each.program is None or each.cost.traffic is None:
            rows.append((each.target.title, "no cores: arithmetic alone", *[""] * 6))
        else:
            program, traffic = each.program, each.cost.traffic
            full = [fullest(core.usage, program.limits) for core in program.cores]
            name, share = max(full, key=lambda pair: pair[1])
            hops = sum(traffic.hops_x.values()), sum(traffic.hops_y.values())
            rows.append(
                (
                    each.target.title,
                    f"{len(program.cores):,}",
                    f"{each.at_least:,}",
                    f"{program.chips:,}",
                    f"{percent(share)} of {name}",
                    f"{sum(traffic.messages.values()):,.3f}",
                    f"{hops[0]:,.3f}",
                    f"{hops[1]:,.3f}",
                )
            )
    typer.echo()
    header = ("target", "cores", "at least", "chips", "fullest", "messages", "hops x", "hops y")
    print_columns(header, rows, (1, 2, 3, 5, 6, 7))
    for each in profiles:
        if each.refusal:
            typer.echo(f"{each.target.title} does not hold it. {each.refusal}")


def _uses(profile: "Profile") -> None:
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
            "x".join(map(str, use.largest)),
            *(f"{100 * use.most.get(key, 0) / limit:.1f} %" for key, limit in limits.items()),
        )
        for use in profile.uses
    ]
    typer.echo(f"\n{profile.target.title}: the most that a slice takes of a core")
    print_columns(header, rows, (1, 2, 3, *range(5, len(header))))


def _bill(cost: "Cost", bill: "Bill") -> None:
    """Print a bill: the lines add up, and with the error of the list make the total."""
    rows = [
        (kind, _count(count), _each(price, 1e12, "pJ"), _joules(total))
        for kind, (count, price, total) in by_kind(bill).items()
    ]
    typer.echo(
        f"\n{cost.title}, {bill.about} ({bill.model}, {bill.certainty}): energy an inference"
    )
    error = f"{100 * bill.error:g} % either way" if bill.error else ""
    print_columns(
        ("what", "count", "each", "energy"), [*rows, ("total", error, "", _joules(bill.total))],
        (1, 2, 3),
    )  # fmt: skip
    connections, product = cost.work.connections, bill.artificial / max(cost.work.connections, 1)
    here = sum(cost.work.operations.values()) / max(connections, 1)
    typer.echo(
        f"The same network as an ANN: {connections:,} connections x {product * 1e12:.6g} pJ = "
        f"{_joules((bill.artificial,) * 2)}. Synapses alone break even at "
        f"{bill.break_even:.4g} operations a connection; here {here:.4g}."
    )
    typer.echo(f"Leaves out: {bill.excludes}.")


def _populations(cost: "Cost") -> None:
    """Print what each population costs by each list, before the errors of the lists."""
    tables = [bill.by("population") for bill in cost.bills]
    names = [p.name for p in cost.work.network.populations if any(p.name in t for t in tables)]
    rows = [(name, *(_joules(t.get(name, (0.0, 0.0))) for t in tables)) for name in names]
    typer.echo(f"\n{cost.title}: energy an inference by population")
    header = ("population", *(bill.model for bill in cost.bills))
    print_columns(header, rows, range(1, len(header)))


def by_kind(bill: "Bill") -> dict[str, tuple[Range, Range, Range]]:
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


def _latency(cost: "Cost", latency: "Latency") -> None:
    from ..runtime.report.words import scaled, times

    typer.echo(f"\n{cost.title}, {latency.about} ({latency.model}, {latency.certainty}): time")
    slow, fast = latency.throughput
    print_facts(
        {
            "a step": times(latency.step),
            "an inference": f"{times(latency.inference)}: {cost.work.timesteps} steps, and "
            f"{latency.depth} until the answer is through",
            "throughput": f"{slow:,.0f} to {fast:,.0f} inferences a second",
            "the longest step": f"{times(latency.worst)}; its busiest core, at the most:",
        }
    )
    rows = [
        (
            share.what,
            _count((share.count,) * 2),
            f"{share.price * 1e9:.6g} ns",
            scaled(share.count * share.price, "s", 4),
        )
        for share in latency.longest
    ]
    error = f"{100 * latency.error:g} % more" if latency.error else ""
    total = ("the longest step", error, "", scaled(latency.worst[1], "s", 4))
    print_columns(("what", "count", "each", "time"), [*rows, total], (1, 2, 3))
    typer.echo(f"Leaves out: {latency.excludes}.")


def _host(host: "Host") -> None:
    from ..runtime.report.words import joules, seconds

    typer.echo(
        f"\nThis machine: {host.processor}, engine {host.engine}, {host.runs} single samples"
    )
    rows = [
        (what, *map(seconds, three))
        for what, three in (("a step", host.step), ("an inference", host.inference))
        if three
    ]
    print_columns(("what", "p50", "p95", "p99"), rows, (1, 2, 3))
    told = "no RAPL counter can be read here" if host.joules is None else joules(host.joules)
    typer.echo(f"Energy an inference, idle power included: {told}.")


def write_csv(path: Path, profiles: "Sequence[Profile]") -> None:
    """Write every line of every bill and time of `profiles`; raises `FileError` where it cannot."""
    from ..runtime.files import written

    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for profile in profiles:
        writer.writerows(_lines(profile))
    with written(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def _lines(profile: "Profile") -> Iterator[tuple[object, ...]]:
    cost, name = profile.cost, profile.target.name
    if profile.refusal:
        yield name, "", "", "refusal", "", profile.refusal, *[""] * 7
        return
    if profile.program:
        for what, number in (
            ("cores", len(profile.program.cores)),
            ("cores at least", profile.at_least),
            ("chips", profile.program.chips),
        ):
            yield name, "", "", "placement", "", what, number, number, "", "", "", "", ""
    for bill in cost.bills:
        about = name, bill.model, bill.certainty, "energy"
        for item in bill.items:
            yield *about, item.population, item.kind, *item.count, *item.price, "J", *item.joules
        yield *about, "", "total", "", "", "", "", "J", *bill.total
        yield *about, "", "as an ANN", "", "", "", "", "J", *(bill.artificial,) * 2
    for latency in cost.latencies:
        about = name, latency.model, latency.certainty, "time"
        for what in ("step", "worst", "inference"):
            yield *about, "", what, "", "", "", "", "s", *getattr(latency, what)
        yield *about, "", "throughput", "", "", "", "", "1/s", *latency.throughput


def _count(count: Range) -> str:
    least, most = (f"{value:,.3f}".rstrip("0").rstrip(".") for value in count)
    return least if least == most else f"{least} to {most}"


def _each(price: Range, scale: float, unit: str) -> str:
    least, most = (f"{value * scale:.6g}" for value in price)
    return f"{least} {unit}" if least == most else f"{least} to {most} {unit}"


def _joules(total: Range) -> str:
    from ..runtime.report.words import scaled, span

    return span(total, lambda value: scaled(value, "J", 4))
