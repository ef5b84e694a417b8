"""`pumice demo`: the whole way once, on data that comes with pumice."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import EngineName, Json
from .train import load_data, run_training

if TYPE_CHECKING:
    from ..report import Energy, Report
    from ..runtime import Network
    from ..train.data.inputs import Inputs

RECIPE = "digits-events"
VERIFY_SAMPLES = 32


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where to.")
    ] = Path("demo"),
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: training.epochs=3."),
    ] = None,
    prednext: Annotated[
        bool, typer.Option("--prednext", help="Learn from videos without labels first.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train, convert, compare, run in Lava and report, on digits.

    What is there already is not done again. Ends with status 1 where an engine differs.
    """
    from ..convert.formats.onnx.writer import write_onnx
    from ..report import to_json, write_report
    from ..runtime import write_network
    from ..train import convert, load_recipe, model_accuracy
    from ..train.data.inputs import dataset_inputs

    if prednext:
        from .demo_prednext import prednext_demo

        return prednext_demo(output, change or (), as_json)
    recipe = load_recipe(RECIPE, change or ())
    _print_progress("reading the data")
    data = load_data(recipe, None)
    _print_progress(f"training {recipe.training.epochs} epochs, about a minute on two idle cores")
    trained = run_training(recipe, data, output, resume=True)
    real = model_accuracy(trained.network, data.test, quantized=False).tolist()
    _print_progress("converting to integers")
    network = convert(trained)
    paths = [output / "model.pumice", output / "model.onnx"]
    write_network(paths[0], network)
    write_onnx(paths[1], network)
    made = build_demo_report(network, dataset_inputs(network, None), real)
    paths += write_report(output, made)
    if as_json:
        typer.echo(to_json(made), nl=False)
    else:
        print_report(made, paths)
    if not (made.verification and made.verification.passed):
        raise typer.Exit(1)


def build_demo_report(network: "Network", inputs: "Inputs", real: list[float]) -> "Report":
    """Run and compare all installed engines and return the report.

    `real` is the accuracy by timestep in real numbers, before conversion.
    """
    from ..report import AccuracyCurve
    from .engines import select_engines
    from .report import measure_report as measured_report
    from .run import evaluate

    names = select_engines(None)
    fastest: EngineName = "cpu" if "cpu" in names else "reference"
    ways: dict[str, EngineName] = {"integers": fastest}
    if "lava" in names:
        ways["Lava"] = "lava"
    curves = [AccuracyCurve("float", tuple(real))]
    for way, engine in ways.items():
        _print_progress(f"running {inputs.samples} samples on engine {engine}")
        curves.append(AccuracyCurve(way, tuple(evaluate(network, inputs, engine)["accuracy"])))
    _print_progress(f"comparing {', '.join(names)}")
    title = f"{inputs.name}: from training to the chip"
    return measured_report(network, inputs, fastest, names, curves, title, VERIFY_SAMPLES)


def print_report(report: "Report", paths: Sequence[Path]) -> None:
    """Print what came of it: accuracy at the first steps, cost of an inference, proof, files."""
    from ..report.format import (
        format_count,
        format_percent,
        format_range,
        verification_sentence,
    )
    from .output import print_facts, print_table

    steps = [t for t in (1, 2, 4, 8, 16) if t < report.timesteps] + [report.timesteps]
    rows = [(c.name, *(format_percent(c.accuracy[t - 1]) for t in steps)) for c in report.curves]
    header = ("accuracy stopped at timestep", *map(str, steps))
    print_table(header, rows, right=range(1, len(header)))
    facts = {
        "an inference": f"{format_count(round(report.events))} spikes, "
        f"{format_count(round(report.cumulative_operations[-1]))} synaptic operations",
        **{f"cores, {p.target}": f"{len(p.cores):,}" for p in report.placements if p.cores},
        **{f"energy, {e.model}": format_range(e.total) for e in _first_energies(report)},
    }
    print_facts(facts)
    if report.verification:
        typer.echo(verification_sentence(report.verification))
    typer.echo("\n".join(str(path) for path in paths))


def _first_energies(report: "Report") -> "list[Energy]":
    """Return the first bill of each target."""
    found: dict[str, Energy] = {}
    for energy in report.energies:
        found.setdefault(energy.model.partition(",")[0], energy)
    return list(found.values())


def _print_progress(what: str) -> None:
    typer.echo(what, err=True)
