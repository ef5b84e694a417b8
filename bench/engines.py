"""Engines side by side: `python -m bench.engines [--quick]`, in the environment of `make peers`.

One thread each, where not said otherwise. All are first held to the spikes of pumice's reference;
then they take turns, so that a busy machine is busy for all. The fast engine runs as it chooses,
and with events or products alone. What is not installed, or cannot do a network, is named.
Writes bench/results/engines.json and .png; figures are medians, of a step in microseconds.
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
from pumice.runtime import Network
from pumice.runtime.engines import cpu
from pumice.runtime.op_counts import count_ops

RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
BATCHES = {"conv 34x34": 64, "pilotnet": 8, "sew-resnet18 32x32": 8, "recurrent 2000": 32}
RESULTS = Path(__file__).parent / "results"
LONG_RUN_TIMESTEPS = (10, 510)


def make_peers(network: Network, batch: int) -> dict[str, Callable[[], peers.Peer]]:
    """Return by name what makes each peer for samples in batches of `batch`."""
    return {
        "pumice fast": lambda: peers.pumice_cpu(network),
        "pumice fast, two threads": lambda: peers.pumice_cpu(network, 2),
        "pumice fast, events alone": lambda: peers.pumice_fixed_path(network, False),
        "pumice fast, products alone": lambda: peers.pumice_fixed_path(network, True),
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
    """Return the peers that give the right spikes, and why the others do not take part."""
    wanted = peers.numpy_reference(network)(events)
    found: dict[str, peers.Peer] = {}
    left_out: dict[str, str] = {}
    for name, make in make_peers(network, events.shape[1]).items():
        try:
            peer = make()
            answer = peer(events)
        except (ImportError, NotImplementedError) as error:
            left_out[name] = f"{type(error).__name__}: {error}"
            continue
        if np.array_equal(answer.reshape(wanted.shape), wanted):
            found[name] = peer
        else:
            left_out[name] = (
                f"{np.count_nonzero(answer.reshape(wanted.shape) != wanted)} spikes differ"
            )
    return found, left_out


def time_peers(
    found: dict[str, peers.Peer], events: peers.Spikes, seconds: float
) -> dict[str, list[float]]:
    """Return the seconds of each peer's runs: turns in drawn order, until all had `seconds`."""
    times: dict[str, list[float]] = {name: [] for name in found}
    random, names = np.random.default_rng(0), list(found)
    while waiting := [n for n, t in times.items() if len(t) < 3 or sum(t) <= seconds]:
        for name in random.permutation(names):
            if name in waiting:
                start = time.perf_counter()
                found[name](events)
                times[name].append(time.perf_counter() - start)
    return times


def time_long_run(run: Any, network: Network, events: peers.Spikes) -> float:
    """Return the seconds of a step in a long run: what more steps cost, start not counted."""
    took = []
    for steps in LONG_RUN_TIMESTEPS:
        given = np.concatenate([events] * (steps // TIMESTEPS))
        start = time.perf_counter()
        run(network, given, "output")
        took.append(time.perf_counter() - start)
    return (took[1] - took[0]) / (LONG_RUN_TIMESTEPS[1] - LONG_RUN_TIMESTEPS[0])


def time_long_runs(network: Network, events: peers.Spikes) -> dict[str, float | str]:
    """Return the seconds of a step in Lava's simulator and in the fast engine, or why not."""
    own = [time_long_run(cpu.run, network, events) for _ in range(30)]
    found: dict[str, float | str] = {"pumice fast, long run": float(np.median(own))}
    try:
        from pumice.deploy.lava.run import run

        found["lava, long run"] = time_long_run(run, network, events)
    except ImportError as error:
        found["lava, long run"] = str(error)
    return found


def measure_cell(name: str, rate: float, batch: int, seconds: float, lava: bool) -> dict[str, Any]:
    """Return one row of the table: a network at one activity, single sample or batch."""
    network = calibrate_rates(NETS[name](), rate)
    events = random_events(network, rate, batch)
    found, left_out = check_peers(network, events)
    trace = cpu.run(network, events)
    counts = count_ops(network, trace)
    shares = [trace.spikes[p.name].mean() for p in network.topological_order]
    times = time_peers(found, events, seconds)
    steps = TIMESTEPS * batch
    row: dict[str, Any] = {
        "network": name,
        "rate": rate,
        "batch": batch,
        "activity": float(np.mean(shares)),
        "operations": float(counts.total_synaptic_operations.sum()) / steps,
        "microseconds": {n: 1e6 * float(np.median(t)) / steps for n, t in times.items()},
        "runs": {n: len(t) for n, t in times.items()},
        "left out": left_out,
    }
    if lava:
        for who, step in time_long_runs(network, events).items():
            if isinstance(step, str):
                left_out[who] = step
            else:
                row["microseconds"][who] = 1e6 * step
    return row


def format_row(row: dict[str, Any]) -> str:
    """Return a row as one line: microseconds a step, and times slower than pumice's fast engine."""
    own = row["microseconds"]["pumice fast"]
    parts = [f"{n} {t:,.0f} ({t / own:.2f}x)" for n, t in row["microseconds"].items()]
    return (
        f"{row['network']}, batch {row['batch']}, {100 * row['rate']:g} % "
        f"({row['operations'] / own / 1e3:.2f} GSOP/s): {'; '.join(parts)}"
    )


def plot_rows(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw microseconds a step against activity, a panel for each network and batch."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    panels = sorted({(row["network"], row["batch"]) for row in rows})
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(4.2 * len(panels), 4), squeeze=False, layout="constrained"
    )
    for axis, panel in zip(axes[0], panels, strict=True):
        here = [row for row in rows if (row["network"], row["batch"]) == panel]
        for name in sorted({n for row in here for n in row["microseconds"]}):
            points = [(100 * r["rate"], r["microseconds"].get(name)) for r in here]
            axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
        axis.set(xscale="log", yscale="log", title=f"{panel[0]}, batch {panel[1]}")
        axis.set(xlabel="activity, %", ylabel="microseconds a step and sample")
    axes[0, 0].legend(fontsize=7)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Time all engines and write what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one network, one activity")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each engine and cell")
    given = parser.parse_args()
    try:
        import torch
    except ImportError:
        raise SystemExit("bench.engines needs torch: run it with .venv-peers/bin/python") from None
    torch.set_num_threads(1)
    RESULTS.mkdir(exist_ok=True)
    names = ["conv 34x34"] if given.quick else list(NETS)
    rates = (0.05,) if given.quick else RATES
    rows: list[dict[str, Any]] = []
    for name in names:
        for batch in (1, 4 if given.quick else BATCHES[name]):
            for rate in rates:
                lava = batch == 1 and rate == 0.05 and name in ("conv 34x34", "recurrent 2000")
                row = measure_cell(name, rate, batch, 0.2 if given.quick else given.seconds, lava)
                rows.append(row)
                print(format_row(row), flush=True)
                for peer, why in row["left out"].items():
                    print(f"    {peer} is left out: {why}", flush=True)
                if not given.quick:
                    text = json.dumps({"timesteps": TIMESTEPS, "rows": rows}, indent=1)
                    (RESULTS / "engines.json").write_text(text + "\n")
    if not given.quick:
        plot_rows(rows, RESULTS / "engines.png")


if __name__ == "__main__":
    main()
