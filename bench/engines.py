"""Compare the speed of engines: `python -m bench.engines [--quick]`, after `make peers`.

Every engine runs on one thread, unless stated otherwise. Each is first verified to give the spikes
of the reference engine. Then the engines take turns, so that other load on the machine affects all
of them. The CPU engine runs with its own choice of kernels, and with event-driven or dense kernels
only. Engines that are not installed or do not support a network are listed. Writes
bench/raw/engines.json and .png with the median time per step in microseconds, and comparison.png.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np

from bench import peers
from bench.nets import NETS, TIMESTEPS, calibrate_rates, random_events
from bench.results import Cell, Table, add_json_option, write_result
from pumice.runtime import Network
from pumice.runtime.engines import cpu
from pumice.runtime.op_counts import count_ops

RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
BATCHES = {"conv 34x34": 64, "pilotnet": 8, "sew-resnet18 32x32": 8, "recurrent 2000": 32}
RESULTS = Path(__file__).parent / "raw"
COMPARED_ROW = ("conv 34x34", 1, 0.05)
COMPARED = {
    "pumice cpu": "pumice",
    "onnxruntime float": "ONNX Runtime, float32",
    "torch": "torch",
    "spikingjelly": "SpikingJelly",
    "slayer": "SLAYER",
}
LONG_RUN_TIMESTEPS = (10, 510)


def make_peers(network: Network, batch: int) -> dict[str, Callable[[], peers.Peer]]:
    """Factories of all peers by name, for samples in batches of `batch`."""
    return {
        "pumice cpu": lambda: peers.pumice_cpu(network),
        "pumice cpu, two threads": lambda: peers.pumice_cpu(network, 2),
        "pumice cpu, event-driven": lambda: peers.pumice_fixed_path(network, False),
        "pumice cpu, dense": lambda: peers.pumice_fixed_path(network, True),
        "pumice onnx": lambda: peers.pumice_onnx(network),
        "numpy": lambda: peers.numpy_reference(network),
        "torch": lambda: peers.torch_plain(network),
        "spikingjelly": lambda: peers.spikingjelly(network),
        "onnxruntime float": lambda: peers.onnx_float(network, TIMESTEPS, batch),
        "slayer": lambda: peers.slayer(network),
    }


def check_peers(
    network: Network, events: peers.Spikes
) -> tuple[dict[str, peers.Peer], dict[str, str]]:
    """Build all peers; return those that give the expected spikes, and the reason for the rest."""
    expected = peers.numpy_reference(network)(events)
    verified: dict[str, peers.Peer] = {}
    skipped: dict[str, str] = {}
    for name, make in make_peers(network, events.shape[1]).items():
        try:
            peer = make()
            spikes = peer(events).reshape(expected.shape)
        except (ImportError, NotImplementedError) as error:
            skipped[name] = f"{type(error).__name__}: {error}"
            continue
        if np.array_equal(spikes, expected):
            verified[name] = peer
        else:
            skipped[name] = f"{np.count_nonzero(spikes != expected)} spikes differ"
    return verified, skipped


def time_peers(
    verified: dict[str, peers.Peer], events: peers.Spikes, seconds: float
) -> dict[str, list[float]]:
    """Time the runs of each peer in seconds: turns in random order, until all had `seconds`."""
    times: dict[str, list[float]] = {name: [] for name in verified}
    random, names = np.random.default_rng(0), list(verified)
    while waiting := [n for n, t in times.items() if len(t) < 3 or sum(t) <= seconds]:
        for name in random.permutation(names):
            if name in waiting:
                start = time.perf_counter()
                verified[name](events)
                times[name].append(time.perf_counter() - start)
    return times


def time_long_run(run: Any, network: Network, events: peers.Spikes) -> float:
    """Time a step of a long run in seconds: the slope over timesteps, which excludes start-up."""
    seconds = []
    for steps in LONG_RUN_TIMESTEPS:
        long_events = np.concatenate([events] * (steps // TIMESTEPS))
        start = time.perf_counter()
        run(network, long_events, "output")
        seconds.append(time.perf_counter() - start)
    return (seconds[1] - seconds[0]) / (LONG_RUN_TIMESTEPS[1] - LONG_RUN_TIMESTEPS[0])


def time_long_runs(network: Network, events: peers.Spikes) -> dict[str, float | str]:
    """Time a step of a long run in the CPU engine and in Lava's simulator, or the import error."""
    own = [time_long_run(cpu.run, network, events) for _ in range(30)]
    seconds: dict[str, float | str] = {"pumice cpu, long run": float(np.median(own))}
    try:
        from pumice.deploy.lava.run import run

        seconds["lava, long run"] = time_long_run(run, network, events)
    except ImportError as error:
        seconds["lava, long run"] = str(error)
    return seconds


def measure_cell(name: str, rate: float, batch: int, seconds: float, lava: bool) -> dict[str, Any]:
    """Measure one row of the table: a network at one activity and batch size."""
    network = calibrate_rates(NETS[name](), rate)
    events = random_events(network, rate, batch)
    verified, skipped = check_peers(network, events)
    trace = cpu.run(network, events)
    counts = count_ops(network, trace)
    rates = [trace.spikes[p.name].mean() for p in network.topological_order]
    times = time_peers(verified, events, seconds)
    steps = TIMESTEPS * batch
    row: dict[str, Any] = {
        "network": name,
        "rate": rate,
        "batch": batch,
        "activity": float(np.mean(rates)),
        "synaptic_operations": float(counts.total_synaptic_operations.sum()) / steps,
        "microseconds": {n: 1e6 * float(np.median(t)) / steps for n, t in times.items()},
        "runs": {n: len(t) for n, t in times.items()},
        "skipped": skipped,
    }
    if lava:
        for engine, step in time_long_runs(network, events).items():
            if isinstance(step, str):
                skipped[engine] = step
            else:
                row["microseconds"][engine] = 1e6 * step
    return row


def format_row(row: dict[str, Any]) -> str:
    """Format a row as one line: microseconds per step, and the ratio to pumice's CPU engine."""
    own = row["microseconds"]["pumice cpu"]
    parts = [f"{n} {t:,.0f} ({t / own:.2f}x)" for n, t in row["microseconds"].items()]
    return (
        f"{row['network']}, batch {row['batch']}, {100 * row['rate']:g} % "
        f"({row['synaptic_operations'] / own / 1e3:.2f} GSOP/s): {'; '.join(parts)}"
    )


def tabulate(rows: list[dict[str, Any]]) -> list[Table]:
    """Tabulate microseconds per step and sample, and ratios: a table per network and batch size."""
    tables = []
    for network, batch in dict.fromkeys((row["network"], row["batch"]) for row in rows):
        chosen = [row for row in rows if (row["network"], row["batch"]) == (network, batch)]
        engines = list(dict.fromkeys(name for row in chosen for name in row["microseconds"]))
        lines: list[list[Cell]] = []
        for row in chosen:
            own, times = row["microseconds"]["pumice cpu"], row["microseconds"]
            cells = [
                f"{times[n]:.1f} ({times[n] / own:.2f})" if n in times else "" for n in engines
            ]
            operations = f"{row['synaptic_operations'] / own / 1e3:.2f}"
            lines.append([f"{100 * row['rate']:g} %", *cells, operations])
        title = (
            f"{network}, {batch} sample{'s' if batch > 1 else ''}: µs per step and sample (ratio)"
        )
        skipped = {f"{name}: {why}" for row in chosen for name, why in row["skipped"].items()}
        note = "Skipped: " + "; ".join(sorted(skipped)) + "." if skipped else ""
        columns = ("activity", *engines, "GSOP/s of pumice cpu")
        tables.append(Table(title, columns, lines, note))
    return tables


def plot_rows(rows: list[dict[str, Any]], path: Path) -> None:
    """Plot microseconds per step against activity, one panel per network and batch size."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = sorted({(row["network"], row["batch"]) for row in rows})
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(4.2 * len(panels), 4), squeeze=False, layout="constrained"
    )
    for axis, panel in zip(axes[0], panels, strict=True):
        panel_rows = [row for row in rows if (row["network"], row["batch"]) == panel]
        for name in sorted({n for row in panel_rows for n in row["microseconds"]}):
            points = [(100 * r["rate"], r["microseconds"].get(name)) for r in panel_rows]
            axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
        axis.set(xscale="log", yscale="log", title=f"{panel[0]}, batch {panel[1]}")
        axis.set(xlabel="activity, %", ylabel="microseconds per step and sample")
    axes[0, 0].legend(fontsize=7)
    figure.savefig(path, dpi=110)


def plot_comparison(row: dict[str, Any], path: Path) -> None:
    """Plot microseconds per step of the libraries in one row of the results as bars."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    times = {label: row["microseconds"].get(name) for name, label in COMPARED.items()}
    found = {label: time for label, time in times.items() if time is not None}
    figure, axis = pyplot.subplots(figsize=(7.7, 2.4), layout="constrained")
    colors = ["#d1491b"] + ["#0d2360"] * (len(found) - 1)
    bars = axis.barh(list(found), list(found.values()), color=colors)
    axis.bar_label(bars, fmt="{:,.0f}", padding=3)
    axis.margins(x=0.09)
    axis.invert_yaxis()
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_xlabel("µs per time step, one thread")
    figure.savefig(path, dpi=100)


def main() -> None:
    """Time all engines and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one network at one activity")
    parser.add_argument("--seconds", type=float, default=1.0, help="per engine and row")
    parser.add_argument("--networks", nargs="+", choices=NETS, default=list(NETS), metavar="NAME",
                        help=f"networks to time: {', '.join(NETS)}")  # fmt: skip
    add_json_option(parser)
    arguments = parser.parse_args()
    try:
        import torch
    except ImportError:
        raise SystemExit("bench.engines needs torch: run it with .venv-peers/bin/python") from None
    torch.set_num_threads(1)
    RESULTS.mkdir(exist_ok=True)
    names = ["conv 34x34"] if arguments.quick else arguments.networks
    rates = (0.05,) if arguments.quick else RATES
    rows: list[dict[str, Any]] = []
    for name in names:
        for batch in (1, 4 if arguments.quick else BATCHES[name]):
            for rate in rates:
                lava = batch == 1 and rate == 0.05 and name in ("conv 34x34", "recurrent 2000")
                row = measure_cell(
                    name, rate, batch, 0.2 if arguments.quick else arguments.seconds, lava
                )
                rows.append(row)
                print(format_row(row), flush=True)
                for peer, reason in row["skipped"].items():
                    print(f"    {peer} skipped: {reason}", flush=True)
                if not arguments.quick:
                    text = json.dumps({"timesteps": TIMESTEPS, "rows": rows}, indent=1)
                    (RESULTS / "engines.json").write_text(text + "\n")
    write_result(arguments.json, "engines", tabulate(rows))
    if not arguments.quick:
        plot_rows(rows, RESULTS / "engines.png")
        chosen = [r for r in rows if (r["network"], r["batch"], r["rate"]) == COMPARED_ROW]
        if chosen:
            plot_comparison(chosen[0], RESULTS / "comparison.png")


if __name__ == "__main__":
    main()
