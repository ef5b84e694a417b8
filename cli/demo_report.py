"""Evaluate and verify the network of a demo on all engines, and write and print its report."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .output import print_facts, print_progress, print_table

if TYPE_CHECKING:
    from ..report import Energy, Report
    from ..runtime import Network

VERIFY_SAMPLES = 32


def write_demo_report(
    network: "Network",
    float_accuracy: Sequence[float],
    output: Path,
    files: Sequence[str],
    as_json: bool,
) -> None:
    """Report `network` on the test samples of its dataset, next to its accuracy in float.

    Raises:
        typer.Exit: With exit code 1, if an engine differs from the reference.
    """
    from ..report import AccuracyCurve, build_report, to_json, write_report
    from ..runtime.engines.registry import available_engines
    from ..runtime.evaluate import evaluate_network
    from ..runtime.verify import verify
    from ..train.data.inputs import dataset_inputs

    inputs = dataset_inputs(network, None)
    installed = available_engines()
    engine = "cpu" if "cpu" in installed else "reference"
    engines = {"integer": engine} | ({"Lava": "lava"} if "lava" in installed else {})
    curves = [AccuracyCurve("float", tuple(float_accuracy))]
    for name, each in engines.items():
        print_progress(f"running {inputs.samples} samples on engine {each}")
        curves.append(AccuracyCurve(name, evaluate_network(network, inputs, each).accuracy or ()))
    print_progress(f"verifying {', '.join(installed)}")
    title = f"{inputs.name}: from training to the chip"
    report = build_report(network, inputs, title, engine=engine, engines="reference", curves=curves)
    report = replace(report, verification=verify(network, inputs.slice(0, VERIFY_SAMPLES)))
    paths = [*(output / file for file in files), *write_report(output, report)]
    typer.echo(to_json(report), nl=False) if as_json else print_report(report, paths)
    if not (report.verification and report.verification.passed):
        raise typer.Exit(1)


def print_report(report: "Report", paths: Sequence[Path]) -> None:
    """Print accuracy by timestep, cost per inference, verification result and files."""
    from ..report.format import format_count, format_percent, format_range, verification_sentence

    steps = [t for t in (1, 2, 4, 8, 16) if t < report.timesteps] + [report.timesteps]
    rows = [(c.name, *(format_percent(c.accuracy[t - 1]) for t in steps)) for c in report.curves]
    header = ("accuracy at timestep", *map(str, steps))
    print_table(header, rows, right=range(1, len(header)))
    operations = format_count(round(report.cumulative_operations[-1]))
    facts = {
        "per inference": f"{format_count(round(report.events))} spikes, "
        f"{operations} synaptic operations",
        **{f"cores, {p.target}": f"{len(p.cores):,}" for p in report.placements if p.cores},
        **{f"energy, {e.model}": format_range(e.total) for e in _first_energies(report)},
    }
    print_facts(facts)
    if report.verification:
        typer.echo(verification_sentence(report.verification))
    typer.echo("\n".join(str(path) for path in paths))


def _first_energies(report: "Report") -> "list[Energy]":
    """The energy by the first model of each target."""
    energies: dict[str, Energy] = {}
    for energy in report.energies:
        energies.setdefault(energy.model.partition(",")[0], energy)
    return list(energies.values())
