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
    Samples,
    Timesteps,
)
from .profile import HostFlag, Target

if TYPE_CHECKING:
    from ..deploy.targets.target import Target as TargetData
    from ..report import AccuracyCurve, Report
    from ..runtime import Network
    from ..train.data.inputs import Inputs

VERIFY_SAMPLES = 4
Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE", help="A network, as .pumice file; to compare, reports."),
]
VerifiedEngines = Annotated[
    str | None,
    typer.Option(
        "--engines",
        metavar="NAMES",
        help="Prove these equal to the reference on 4 samples (all that are installed).",
    ),
]
Curves = Annotated[
    list[str] | None,
    typer.Option(
        "--curve",
        metavar="NAME=FILE",
        help="Draw the accuracy that 'run --json' or 'eval --json' wrote to FILE, as NAME.",
    ),
]
Compare = Annotated[
    bool,
    typer.Option("--compare", help="Compare the report.json files given; write compare.html."),
]


def report(
    files: Files,
    data: DataName = None,
    folder: DataFolder = None,
    events: EventsFile = None,
    engine: Engine = "cpu",
    engines: VerifiedEngines = None,
    curve: Curves = None,
    samples: Samples = None,
    timesteps: Timesteps = None,
    target: Target = None,
    host: HostFlag = False,
    compare: Compare = False,
    title: Annotated[str | None, typer.Option("--title", help="The headline.")] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Where to.")
    ] = Path("report"),
    as_json: Json = False,
) -> None:
    """Measure a network and write its report, or compare reports.

    Without --data or --events it takes the test samples of the data that trained it.
    """
    from ..deploy.targets.target import read_target
    from ..report import to_json, write_report
    from ..runtime import read_network
    from ..runtime.errors import DataError
    from ..train.data.inputs import read_inputs
    from .engines import select_engines
    from .profile import TARGETS

    if compare:
        _compare(files, title, output, as_json)
        return
    if len(files) > 1:
        raise DataError(f"{files[1]}: one network at a time; --compare takes several report.json")
    network = read_network(files[0])
    targets = [read_target(name) for name in dict.fromkeys(target or TARGETS)]
    curves = [read_curve(named) for named in curve or []]
    names = select_engines(engines)
    inputs = read_inputs(network, data, folder, events, samples, timesteps)
    headline = title or f"{files[0].stem} on {inputs.name}"
    made = measure_report(
        network, inputs, engine, names, curves, headline, targets=targets, host=host
    )
    paths = write_report(output, made)
    typer.echo(to_json(made) if as_json else "\n".join(map(str, paths)), nl=not as_json)
    if made.verification and not made.verification.passed:
        raise typer.Exit(1)


def _compare(files: Sequence[Path], title: str | None, output: Path, as_json: bool) -> None:
    from ..report import comparison_rows, read_report, write_comparison
    from .output import print_json

    reports = [read_report(file) for file in files]
    path = write_comparison(output, reports, title or "Comparison")
    if as_json:
        print_json({"reports": [row for row in comparison_rows(reports)]})
    else:
        typer.echo(path)


def measure_report(
    network: "Network",
    inputs: "Inputs",
    engine: EngineName,
    compared: Sequence[EngineName],
    curves: "Sequence[AccuracyCurve]",
    title: str,
    shared: int = VERIFY_SAMPLES,
    targets: "Sequence[TargetData] | None" = None,
    host: bool = False,
) -> "Report":
    """Run all `inputs` on `engine` and `shared` of them on all `compared`; return the report.

    `curves` are accuracies that were measured before. It is placed on the `targets` (both Loihis
    and CMOS), and timed on this machine where `host` says so.
    """
    from ..report import build_report
    from .profile import TARGETS

    return build_report(
        network,
        inputs,
        title,
        engine=engine,
        engines=compared,
        curves=curves,
        targets=TARGETS if targets is None else targets,
        host=host,
    )


def read_curve(named: str) -> "AccuracyCurve":
    """Return the curve in NAME=FILE, a JSON document with a list `accuracy`.

    Raises `DataError` where it is not one.
    """
    from ..report import AccuracyCurve
    from ..runtime.errors import DataError

    name, _, file = named.partition("=")
    if not file:
        raise DataError(f"--curve {named}: needs NAME=FILE")
    try:
        values = json.loads(Path(file).read_text(encoding="utf-8"))["accuracy"]
        return AccuracyCurve(name, tuple(float(value) for value in values))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"--curve {named}: no list 'accuracy' in it ({error})") from error
