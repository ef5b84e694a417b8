"""`pumice report`: accuracy, cost, energy and proof of a network, as JSON and one page."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    DataFolder,
    DataName,
    Engine,
    EngineName,
    EventsFile,
    Json,
    NetworkFile,
    Samples,
    Timesteps,
)

if TYPE_CHECKING:
    from ..runtime import Network
    from ..runtime.report import Curve, Report
    from .inputs import Inputs

CONFORM_SAMPLES = 4


def report(
    file: NetworkFile,
    data: DataName = None,
    folder: DataFolder = None,
    events: EventsFile = None,
    engine: Engine = "fast",
    engines: Annotated[
        str | None,
        typer.Option(
            "--engines",
            metavar="NAMES",
            help="Prove these equal to the reference on 4 samples (all that are installed).",
        ),
    ] = None,
    curve: Annotated[
        list[str] | None,
        typer.Option(
            "--curve",
            metavar="NAME=FILE",
            help="Draw the accuracy that 'run --json' or 'eval --json' wrote to FILE, as NAME.",
        ),
    ] = None,
    samples: Samples = None,
    timesteps: Timesteps = None,
    title: Annotated[str | None, typer.Option("--title", help="The headline.")] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where to.")
    ] = Path("report"),
    as_json: Json = False,
) -> None:
    """Measure a network and write report.json and report.html.

    Without --data or --events it takes the test samples of the data that trained it.
    """
    from ..runtime import read_network
    from ..runtime.report import report_json, write_report
    from .engines import chosen
    from .inputs import read_inputs

    network = read_network(file)
    curves = [read_curve(named) for named in curve or []]
    names = chosen(engines)
    inputs = read_inputs(network, data, folder, events, samples, timesteps)
    headline = title or f"{file.stem} on {inputs.name}"
    made = measured(network, inputs, engine, names, curves, headline)
    paths = write_report(output, made)
    typer.echo(report_json(made) if as_json else "\n".join(map(str, paths)), nl=not as_json)
    if made.certificate and not made.certificate.agreed:
        raise typer.Exit(1)


def measured(
    network: "Network",
    inputs: "Inputs",
    engine: EngineName,
    compared: Sequence[EngineName],
    curves: "Sequence[Curve]",
    title: str,
    shared: int = CONFORM_SAMPLES,
) -> "Report":
    """Run all `inputs` on `engine` and `shared` of them on all `compared`; return the report.

    `curves` are accuracies that were measured before.
    """
    from ..deploy.cost import energies
    from ..runtime.conform import conform
    from ..runtime.report import reported
    from . import engines

    certificate = None
    if len(compared) > 1:
        few = inputs.part(0, shared).events
        certificate = conform(network, few, {name: engines.engine(name) for name in compared})
    trace = engines.engine(engine)(network, inputs.events, "all")
    return reported(
        network,
        trace,
        title=title,
        labels=inputs.labels,
        curves=curves,
        energies=energies(network, trace),
        certificate=certificate,
    )


def read_curve(named: str) -> "Curve":
    """Return the curve in NAME=FILE, a JSON document with a list `accuracy`.

    Raises `DataError` where it is not one.
    """
    from ..runtime.errors import DataError
    from ..runtime.report import Curve

    name, _, file = named.partition("=")
    if not file:
        raise DataError(f"--curve {named}: needs NAME=FILE")
    try:
        values = json.loads(Path(file).read_text(encoding="utf-8"))["accuracy"]
        return Curve(name, tuple(float(value) for value in values))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"--curve {named}: no list 'accuracy' in it ({error})") from error
