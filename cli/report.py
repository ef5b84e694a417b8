"""`pumice report`: report accuracy, cost and verification of a network, or compare reports."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    DataFolder,
    DataName,
    Engine,
    EventsFile,
    HostTimingFlag,
    Json,
    Samples,
    Targets,
    Timesteps,
)

if TYPE_CHECKING:
    from ..report import AccuracyCurve

Files = Annotated[
    list[Path],
    typer.Argument(metavar="FILE", help="A .pumice file; with --compare, several report.json."),
]
VerifiedEngines = Annotated[
    str | None,
    typer.Option(
        "--engines",
        metavar="NAMES",
        help="Engines to verify against the reference on 4 samples (default: all that are "
        "installed).",
    ),
]
Curves = Annotated[
    list[str] | None,
    typer.Option(
        "--curve",
        metavar="NAME=FILE",
        help="Also plot the accuracy in FILE, written by 'run --json' or 'evaluate --json'.",
    ),
]
Compare = Annotated[
    bool,
    typer.Option("--compare", help="Compare several report.json; writes compare.html."),
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
    target: Targets = None,
    host: HostTimingFlag = False,
    compare: Compare = False,
    title: Annotated[str | None, typer.Option("--title", help="Title of the report.")] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Output folder.")
    ] = Path("report"),
    as_json: Json = False,
) -> None:
    """Write the report of a network, or compare reports.

    The report has the formats HTML, JSON and CSV. Without --data or --events the inputs are the
    test samples of the dataset that trained the network. Exit code 1 if an engine differs from the
    reference.
    """
    from ..report import build_report, to_json, write_report
    from ..report.pipeline import DEFAULT_TARGETS
    from ..runtime import read_network
    from ..runtime.errors import DataError
    from ..runtime.files import check_output_folder
    from ..train.data.inputs import read_inputs

    if compare:
        _compare(files, title, output, as_json)
        return
    check_output_folder(output)
    if len(files) > 1:
        raise DataError(f"{files[1]}: only one network; --compare takes several report.json")
    network = read_network(files[0])
    curves = [_parse_curve(argument) for argument in curve or []]
    inputs = read_inputs(network, data, folder, events, samples, timesteps, lazy=True)
    result = build_report(
        network,
        inputs,
        title or f"{files[0].stem} on {inputs.name}",
        engine=engine,
        engines=engines,
        curves=curves,
        targets=target or DEFAULT_TARGETS,
        host=host,
    )
    paths = write_report(output, result)
    typer.echo(to_json(result) if as_json else "\n".join(map(str, paths)), nl=not as_json)
    if result.verification and not result.verification.passed:
        raise typer.Exit(1)


def _compare(files: Sequence[Path], title: str | None, output: Path, as_json: bool) -> None:
    from ..report import comparison_rows, data_warnings, read_report, write_comparison
    from .output import print_json, print_progress

    reports = [read_report(file) for file in files]
    path = write_comparison(output, reports, title or "Comparison")
    warnings = data_warnings(reports)
    if as_json:
        print_json({"reports": list(comparison_rows(reports)), "warnings": list(warnings)})
    else:
        for warning in warnings:
            print_progress(f"warning: {warning}")
        typer.echo(path)


def _parse_curve(argument: str) -> "AccuracyCurve":
    """Read a curve given as NAME=FILE.

    Raises:
        DataError: The argument or the file has another form.
    """
    from ..report import read_curve
    from ..runtime.errors import DataError

    name, _, file = argument.partition("=")
    if not file:
        raise DataError(f"--curve {argument}: needs NAME=FILE")
    return read_curve(name, file)
