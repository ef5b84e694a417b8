"""The Lava engine: a network as Lava processes, in Lava's simulator, bit for bit the same."""

import os
import tempfile
from pathlib import Path

from ...runtime import Network, Program, connections
from ...runtime.errors import EngineError
from ...runtime.events import Events, checked_events
from ...runtime.trace import Record, Trace, recorded, stopped
from ..schedule import schedule
from ..sliced import merged, sliced
from .guard import run_guarded
from .hardware import check_available, check_fits
from .job import Job, Model, Target, read_answer, write_job
from .measure import Measured, read_measured
from .prepare import check_installed

START_SECONDS = 120.0
PROCESS_SECONDS = 0.02  # for each process and step: forty times what it takes on two cores
SYNAPSE_SECONDS = 1e-7


def run(
    network: Network | Program,
    events: Events,
    record: Record = "all",
    *,
    seconds: float | None = None,
    conv: Model = "sparse",
    target: Target = "simulator",
) -> Trace:
    """Run `network` on `events`, uint8 (timesteps, batch, *input shape), as Lava processes.

    A program runs with a process for each slice of each core, and gives the same trace
    (`pumice.deploy.sliced` says which populations stay whole).

    The samples of a batch run one after the other, each from a silent state. Where they may stop
    early, whoever reads the answer stops there; the processes themselves go on to the next reset,
    and what they send after the stop is left out of the trace. Everything happens in
    a process of its own, which is ended after `seconds` (by default some minutes, by the size of
    the run). `conv="lava"` takes Lava's own model of convolution where it can, far slower.
    `target="loihi2"` runs on the chip where Intel's package is installed.

    Raises `EngineError` where the events do not fit, a cycle is too quick for a chip (see
    `pumice.deploy.schedule`), a Lava process fails (with its own text), time is over or the chip
    cannot be used, and `MissingPackage` where Lava is not installed.
    """
    return _ran(network, events, record, seconds, conv, target, False)[0]


def measure(
    network: Network | Program,
    events: Events,
    record: Record = "all",
    *,
    seconds: float | None = None,
    conv: Model = "sparse",
    target: Target = "simulator",
) -> tuple[Trace, Measured]:
    """Run as `run` does, and also return what it took.

    In the simulator that is the time of each process in a step, on the chip what Intel's probes
    of power and time tell. Raises as `run` does.
    """
    trace, told = _ran(network, events, record, seconds, conv, target, True)
    assert told
    return trace, told


def _ran(
    network: Network | Program,
    events: Events,
    record: Record,
    seconds: float | None,
    conv: Model,
    target: Target,
    measured: bool,
) -> tuple[Trace, Measured | None]:
    if isinstance(network, Program):
        cut, whole = sliced(network), network.network
        trace, told = _ran(cut.network, events, "all", seconds, conv, target, measured)
        return recorded(whole, stopped(whole, merged(network, cut, trace)), record), told
    if os.name != "posix":
        raise EngineError("lava: runs on Linux and macOS only; use another engine")
    check_installed()
    inputs = checked_events(network, events)
    timesteps, samples = next(iter(inputs.values())).shape[:2]
    steps = schedule(network).steps(timesteps, samples)
    if target == "loihi2":
        check_available()
        check_fits(network, timesteps)
    job = Job(timesteps, samples, "all" if network.early_exit else record, conv, target, measured)
    try:
        with tempfile.TemporaryDirectory(prefix="pumice-lava-") as name:
            folder = Path(name)
            write_job(folder, job, network, inputs)
            _in_child(folder, _patience(network, steps) if seconds is None else seconds)
            trace = stopped(network, read_answer(folder, job, network, inputs))
            told = read_measured(folder) if measured else None
            return recorded(network, trace, record), told
    except OSError as error:
        raise EngineError(f"lava: {error}; mend this and run again") from error


def _patience(network: Network, steps: int) -> float:
    """Return after how many seconds a run has surely hung."""
    processes = len(network.populations) + len(network.projections)
    synapses: int = sum(
        projection.connection.weights[0].size * network.population(projection.target).neurons
        for projection in network.projections
        if isinstance(projection.connection, connections.Conv | connections.Dense)
    )
    return START_SECONDS + steps * (PROCESS_SECONDS * processes + SYNAPSE_SECONDS * synapses)


def _in_child(folder: Path, seconds: float) -> None:
    log, error = folder / "log.txt", folder / "error.txt"
    status = run_guarded(["-m", "pumice.deploy.lava.child", str(folder)], log, seconds)
    if status:
        said = (error if error.exists() else log).read_text(encoding="utf-8", errors="replace")
        lines = said.strip().splitlines() or [f"ended with status {status} and no word"]
        raise EngineError(f"lava: {lines[-1]}")
