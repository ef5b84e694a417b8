"""`pumice conform`: whether all engines give the same, bit for bit."""

from dataclasses import asdict
from typing import Annotated

import typer

from .options import DataFolder, DataName, EventsFile, Json, NetworkFile, Samples, Timesteps

DEFAULT_SAMPLES = 4
DEFAULT_TIMESTEPS = 16


def verify(
    file: NetworkFile,
    engines: Annotated[
        str | None,
        typer.Option(
            "--engines",
            metavar="NAMES",
            help="Compare these with the reference, with commas between (all that are installed).",
        ),
    ] = None,
    data: DataName = None,
    folder: DataFolder = None,
    events: EventsFile = None,
    samples: Samples = None,
    timesteps: Timesteps = None,
    as_json: Json = False,
) -> None:
    """Compare all engines on a network, value by value.

    Takes 4 samples of 16 timesteps of random events, from sparse to dense, unless --data or
    --events names others. Ends with status 1 where an engine differs or fails.
    """
    from ..report.format import verification_sentence
    from ..runtime import read_network
    from ..runtime import verify as core
    from ..train.data.inputs import random_inputs, read_inputs
    from .engines import get_engine, select_engines
    from .output import print_json, print_table

    network = read_network(file)
    names = select_engines(engines)
    if data or events:
        inputs = read_inputs(network, data, folder, events, samples or DEFAULT_SAMPLES, timesteps)
    else:
        shape = samples or DEFAULT_SAMPLES, timesteps or DEFAULT_TIMESTEPS
        inputs = random_inputs(network, *shape)
    certificate = core.verify(network, inputs.events, {name: get_engine(name) for name in names})
    if as_json:
        print_json({"agreed": certificate.passed, "inputs": inputs.name, **asdict(certificate)})
    else:
        rows = [
            (v.engine, f"{v.spikes:,}", f"{v.values:,}", v.failure or str(v.divergence or "same"))
            for v in certificate.results
        ]
        print_table(("engine", "spikes", "values", "compared with the reference"), rows, (1, 2))
        typer.echo(verification_sentence(certificate))
    if not certificate.passed:
        raise typer.Exit(1)
