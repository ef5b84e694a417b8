"""`pumice demo`: the whole way once, on data that comes with pumice."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import EngineName, Json
from .train import data_of, fitted

if TYPE_CHECKING:
    from ..runtime import Network
    from ..runtime.report import Energy, Report
    from .inputs import Inputs

RECIPE = "digits-events"
CONFORM_SAMPLES = 32


def demo(
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where to.")
    ] = Path("demo"),
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting: fit.epochs=3."),
    ] = None,
    prednext: Annotated[
        bool, typer.Option("--prednext", help="Learn from videos without labels first.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Train, convert, compare, run in Lava and report, on digits.

    What is there already is not done again. Ends with status 1 where an engine differs.
    """
    from ..convert.onnx import to_onnx, write_onnx
    from ..runtime import write_network
    from ..runtime.report import report_json, write_report
    from ..train import converted, read_recipe, trained_accuracies
    from .inputs import from_data

    if prednext:
        from .demo_prednext import prednext_demo

        return prednext_demo(output, change or (), as_json)
    recipe = read_recipe(RECIPE, change or ())
    _say("reading the data")
    data = data_of(recipe, None)
    _say(f"training {recipe.fit.epochs} epochs, about a minute on two idle cores")
    trained = fitted(recipe, data, output, resume=True)
    real = trained_accuracies(trained.network, data.test, quantised=False).tolist()
    _say("converting to integers")
    network, _ = converted(trained)
    paths = [output / "model.pumice", output / "model.onnx"]
    write_network(paths[0], network)
    write_onnx(paths[1], to_onnx(network))
    made = told(network, from_data(network, None), real)
    paths += write_report(output, made)
    if as_json:
        typer.echo(report_json(made), nl=False)
    else:
        show(made, paths)
    if not (made.certificate and made.certificate.agreed):
        raise typer.Exit(1)


def told(network: "Network", inputs: "Inputs", real: list[float]) -> "Report":
    """Run and compare all installed engines and return the report.

    `real` is the accuracy by timestep in real numbers, before conversion.
    """
    from ..runtime.report import Curve
    from .engines import chosen
    from .report import measured as measured_report
    from .run import measured

    names = chosen(None)
    fastest: EngineName = "fast" if "fast" in names else "reference"
    ways: dict[str, EngineName] = {"integers": fastest}
    if "lava" in names:
        ways["Lava"] = "lava"
    curves = [Curve("float", tuple(real))]
    for way, engine in ways.items():
        _say(f"running {inputs.samples} samples on engine {engine}")
        curves.append(Curve(way, tuple(measured(network, inputs, engine)["accuracy"])))
    _say(f"comparing {', '.join(names)}")
    title = f"{inputs.name}: from training to the chip"
    return measured_report(network, inputs, fastest, names, curves, title, CONFORM_SAMPLES)


def show(report: "Report", paths: Sequence[Path]) -> None:
    """Print what came of it: accuracy at the first steps, cost of an inference, proof, files."""
    from ..runtime.report.words import number, percent, proof, span
    from .output import print_facts, print_table

    steps = [t for t in (1, 2, 4, 8, 16) if t < report.timesteps] + [report.timesteps]
    rows = [(c.name, *(percent(c.accuracy[t - 1]) for t in steps)) for c in report.curves]
    header = ("accuracy stopped at timestep", *map(str, steps))
    print_table(header, rows, right=range(1, len(header)))
    facts = {
        "an inference": f"{number(round(report.events))} spikes, "
        f"{number(round(report.operations[-1]))} synaptic operations",
        **{f"cores, {p.target}": f"{len(p.cores):,}" for p in report.placements if p.cores},
        **{f"energy, {e.model}": span(e.total) for e in _firsts(report)},
    }
    print_facts(facts)
    if report.certificate:
        typer.echo(proof(report.certificate))
    typer.echo("\n".join(str(path) for path in paths))


def _firsts(report: "Report") -> "list[Energy]":
    """Return the first bill of each target."""
    found: dict[str, Energy] = {}
    for energy in report.energies:
        found.setdefault(energy.model.partition(",")[0], energy)
    return list(found.values())


def _say(what: str) -> None:
    typer.echo(what, err=True)
