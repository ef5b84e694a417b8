"""`pumice profile`: placement, energy and latency of a network on each target."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    DataFolder,
    DataName,
    Engine,
    EventsFile,
    HostTimingFlag,
    Json,
    NetworkFile,
    Targets,
    Timesteps,
)

if TYPE_CHECKING:
    from ..deploy.lava import ProcessTime
    from ..runtime.host_timing import HostTiming

MeanSamples = Annotated[
    int, typer.Option("--samples", min=1, help="Number of samples to average over.")
]
LavaFlag = Annotated[
    bool, typer.Option("--lava", help="Time each Lava process on one sample in Lava's simulator.")
]
CsvFile = Annotated[
    Path | None, typer.Option("--csv", metavar="FILE", help="Write all values as CSV.")
]
HtmlFile = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write the report as HTML.")
]


def profile(
    file: NetworkFile,
    data: DataName = None,
    folder: DataFolder = None,
    events: EventsFile = None,
    target: Targets = None,
    engine: Engine = "cpu",
    samples: MeanSamples = 128,
    timesteps: Timesteps = None,
    host: HostTimingFlag = False,
    lava: LavaFlag = False,
    csv: CsvFile = None,
    html: HtmlFile = None,
    as_json: Json = False,
) -> None:
    """Estimate cores, energy and latency on each target.

    Each value is an operation count, averaged over samples, times a constant of the target. Exit
    code 1 if the network exceeds the capacity of a target.
    """
    from ..deploy.lava import measure
    from ..deploy.profile import profile as profile_on
    from ..deploy.profile import profiles_to_dict
    from ..deploy.targets.target import read_target
    from ..report.pipeline import DEFAULT_TARGETS
    from ..report.profile_files import write_profile_csv, write_profile_page
    from ..runtime import read_network
    from ..runtime.engines.run import run
    from ..runtime.files import check_output_file
    from ..runtime.host_timing import time_engine
    from ..train.data.inputs import read_inputs
    from .output import print_json
    from .profile_tables import print_machine, print_profile

    for path in filter(None, (csv, html)):
        check_output_file(path)
    network = read_network(file)
    targets = [read_target(name) for name in dict.fromkeys(target or DEFAULT_TARGETS)]
    inputs = read_inputs(network, data, folder, events, samples, timesteps)
    trace = run(network, inputs, engine)
    profiles = [profile_on(network, trace, each) for each in targets]
    machine = time_engine(network, inputs, engine) if host else None
    processes = measure(network, inputs.slice(0, 1).events, "output")[1].processes if lava else ()
    if csv:
        write_profile_csv(csv, profiles)
    if html:
        title, labels = f"{file.stem} on {inputs.name}", inputs.labels
        about = {"title": title, "inputs": inputs.name}
        write_profile_page(html, network, trace, profiles, labels=labels, host=machine, **about)
    if as_json:
        document = {"network": file.name, "inputs": inputs.name}
        document |= profiles_to_dict(network, trace, profiles)
        print_json(document | _measurements(machine, processes))
    else:
        print_profile(network, trace, inputs.name, profiles)
        print_machine(machine, processes)
    if any(each.placement_error for each in profiles):
        raise typer.Exit(1)


def _measurements(
    machine: "HostTiming | None", processes: "Sequence[ProcessTime]"
) -> dict[str, Any]:
    """JSON values of the measurements on this machine, if there are any."""
    measured: dict[str, Any] = {"host": asdict(machine)} if machine else {}
    if processes:
        measured["lava"] = [asdict(each) for each in processes]
    return measured
