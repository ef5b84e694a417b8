"""`pumice verify`: compare engines with the reference bit for bit."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from .options import DataFolder, DataName, EventsFile, Json, NetworkFile, Samples, Timesteps

if TYPE_CHECKING:
    from ..runtime.verify import VerificationReport

DEFAULT_SAMPLES = 4
DEFAULT_TIMESTEPS = 16
EngineNames = Annotated[
    str | None,
    typer.Option(
        "--engines",
        metavar="NAMES",
        help="Engines to compare with the reference, separated by commas (default: all that are "
        "installed).",
    ),
]


def verify(
    file: NetworkFile,
    engines: EngineNames = None,
    data: DataName = None,
    folder: DataFolder = None,
    events: EventsFile = None,
    samples: Samples = None,
    timesteps: Timesteps = None,
    as_json: Json = False,
) -> None:
    """Verify engines against the reference, bit for bit.

    Without --data or --events the inputs are 4 samples of 16 timesteps of random events, from
    sparse to dense. Exit code 1 if an engine differs or fails.
    """
    from ..runtime import read_network
    from ..runtime.engines.registry import select_engines
    from ..runtime.verify import verify as verify_engines
    from ..train.data.inputs import random_inputs, read_inputs
    from .output import print_json

    network = read_network(file)
    names = select_engines(engines)
    if data or events:
        inputs = read_inputs(network, data, folder, events, samples or DEFAULT_SAMPLES, timesteps)
    else:
        shape = samples or DEFAULT_SAMPLES, timesteps or DEFAULT_TIMESTEPS
        inputs = random_inputs(network, *shape)
    report = verify_engines(network, inputs.events, names)
    if as_json:
        print_json({"passed": report.passed, "inputs": inputs.name, **asdict(report)})
    else:
        _print_report(report)
    if not report.passed:
        raise typer.Exit(1)


def _print_report(report: "VerificationReport") -> None:
    from ..report.format import verification_sentence
    from .output import print_table

    rows = [
        (
            result.engine,
            f"{result.spikes:,}",
            f"{result.values:,}",
            result.failure or str(result.divergence or "equal"),
        )
        for result in report.results
    ]
    print_table(("engine", "spikes", "values", "compared with the reference"), rows, (1, 2))
    typer.echo(verification_sentence(report))
