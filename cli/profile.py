"""`pumice profile`: where a network fits, how long it takes and what it costs, on each target."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import (
    DataFolder,
    DataName,
    Engine,
    EngineName,
    EventsFile,
    Json,
    NetworkFile,
    Timesteps,
)

if TYPE_CHECKING:
    from ..deploy.lava import ProcessTime
    from ..deploy.profile import Profile
    from ..report import HostTiming
    from ..runtime import Network, Trace
    from ..train.data.inputs import Inputs

TARGETS = ("loihi1", "loihi2", "cmos45")
Target = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help="A shipped target or a TOML file; may be given again (loihi1, loihi2 and cmos45).",
    ),
]
HostFlag = Annotated[
    bool,
    typer.Option("--host", help="Time 100 single samples on this machine as well, with joules."),
]


def profile(
    file: NetworkFile,
    data: DataName = None,
    folder: DataFolder = None,
    events: EventsFile = None,
    target: Target = None,
    engine: Engine = "cpu",
    samples: Annotated[
        int, typer.Option("--samples", min=1, help="Take the means of so many samples.")
    ] = 128,
    timesteps: Timesteps = None,
    host: HostFlag = False,
    lava: Annotated[
        bool,
        typer.Option("--lava", help="Run a sample in Lava's simulator, and time each process."),
    ] = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", metavar="FILE", help="Write every figure as a line.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write the report as one page.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say where a network fits, how long it takes and what it costs.

    Every figure is a count of real samples times a constant of the target. Ends with status 1
    where the network does not fit a target, and says by how much.
    """
    from ..deploy.profile import profile, profiles_to_dict
    from ..deploy.targets.target import read_target
    from ..runtime import read_network
    from ..train.data.inputs import read_inputs
    from . import profile_tables as tables
    from .engines import get_engine as engine_of
    from .output import print_json

    network = read_network(file)
    targets = [read_target(name) for name in dict.fromkeys(target or TARGETS)]
    inputs = read_inputs(network, data, folder, events, samples, timesteps)
    trace = engine_of(engine)(network, inputs.events, "all")
    profiles = [profile(network, trace, each) for each in targets]
    machine = measure_host(network, inputs, engine) if host else None
    processes = _time_lava_processes(network, inputs) if lava else ()
    if csv:
        tables.write_csv(csv, profiles)
    if html:
        _write_page(html, file.stem, network, inputs, trace, profiles, machine)
    if as_json:
        told = profiles_to_dict(network, trace, profiles)
        print_json(
            {
                "network": file.name,
                "inputs": inputs.name,
                **told,
                **_measured_fields(machine, processes),
            }
        )
    else:
        tables.print_profile(network, trace, inputs.name, profiles)
        tables.print_machine(machine, processes)
    if any(each.placement_error for each in profiles):
        raise typer.Exit(1)


def measure_host(network: "Network", inputs: "Inputs", name: EngineName) -> "HostTiming":
    """Return what single samples of `inputs` take on this machine, on the engine of that name."""
    from ..runtime.host_timing import time_engine

    return time_engine(network, inputs, name)


def _time_lava_processes(network: "Network", inputs: "Inputs") -> "Sequence[ProcessTime]":
    """Return what each process of Lava's simulator takes in a step of the first sample."""
    from ..deploy.lava import measure

    return measure(network, inputs.slice(0, 1).events, "output")[1].processes


def _measured_fields(
    machine: "HostTiming | None", processes: "Sequence[ProcessTime]"
) -> dict[str, Any]:
    """Return as JSON values what was measured here, where it was asked for."""
    from dataclasses import asdict

    found: dict[str, Any] = {"host": asdict(machine)} if machine else {}
    if processes:
        found["lava"] = [asdict(each) for each in processes]
    return found


def _write_page(
    path: Path,
    name: str,
    network: "Network",
    inputs: "Inputs",
    trace: "Trace",
    profiles: "list[Profile]",
    machine: "HostTiming | None",
) -> None:
    from ..report import Measurements, assemble_report, to_energies, to_placements
    from ..report.render import render
    from ..runtime.files import atomic_write

    report = assemble_report(
        network,
        trace,
        f"{name} on {inputs.name}",
        labels=inputs.labels,
        measurements=Measurements(
            energies=to_energies(profiles), placements=to_placements(profiles), host=machine
        ),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(render(report), encoding="utf-8")
