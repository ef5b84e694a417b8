"""The Lava engine: a network as Lava processes, in Lava's simulator, bit for bit the same."""

import os
import tempfile
from pathlib import Path

from ...runtime import Network, Program, connections
from ...runtime.errors import EngineError
from ...runtime.events import Events, validate_events
from ...runtime.lava_compat import check_installed
from ...runtime.trace import Record, Trace, apply_early_exit, select_recorded
from ..passes.schedule import schedule
from ..passes.split import merge_trace, split_by_core
from .hardware import check_available, check_supported
from .job import ConvModel, Job, RunTarget, read_result, write_job
from .subprocess_guard import run_guarded
from .timing import LavaTiming, read_timing

START_SECONDS = 120.0
PROCESS_SECONDS = 0.02  # for each process and step: forty times what it takes on two cores
SYNAPSE_SECONDS = 1e-7


def run(
    network: Network | Program,
    events: Events,
    record: Record = "all",
    *,
    seconds: float | None = None,
    conv: ConvModel = "sparse",
    target: RunTarget = "simulator",
) -> Trace:
    """Run `network` on `events`, uint8 (timesteps, batch, *input shape), as Lava processes.

    A program runs with a process for each slice of each core, and gives the same trace
    (`pumice.deploy.passes.split` says which populations stay whole).

    The samples of a batch run one after the other, each from a silent state. Where they may stop
    early, whoever reads the answer stops there; the processes themselves go on to the next reset,
    and what they send after the stop is left out of the trace. Everything happens in
    a process of its own, which is ended after `seconds` (by default some minutes, by the size of
    the run). `conv="lava"` takes Lava's own model of convolution where it can, far slower.
    `target="loihi2"` runs on the chip where Intel's package is installed.

    Raises `EngineError` where the events do not fit, a cycle is too quick for a chip (see
    `pumice.deploy.passes.schedule`), a Lava process fails (with its own text), time is over or the chip
    cannot be used, and `MissingPackage` where Lava is not installed.
    """
    return _run(network, events, record, seconds, conv, target, False)[0]


def measure(
    network: Network | Program,
    events: Events,
    record: Record = "all",
    *,
    seconds: float | None = None,
    conv: ConvModel = "sparse",
    target: RunTarget = "simulator",
) -> tuple[Trace, LavaTiming]:
    """Run as `run` does, and also return what it took.

    In the simulator that is the time of each process in a step, on the chip what Intel's probes
    of power and time tell. Raises as `run` does.
    """
    trace, told = _run(network, events, record, seconds, conv, target, True)
    assert told
    return trace, told


def _run(
    network: Network | Program,
    events: Events,
    record: Record,
    seconds: float | None,
    conv: ConvModel,
    target: RunTarget,
    measured: bool,
) -> tuple[Trace, LavaTiming | None]:
    if isinstance(network, Program):
        cut, whole = split_by_core(network), network.network
        trace, told = _run(cut.network, events, "all", seconds, conv, target, measured)
        return select_recorded(
            whole, apply_early_exit(whole, merge_trace(network, cut, trace)), record
        ), told
    if os.name != "posix":
        raise EngineError("lava: runs on Linux and macOS only; use another engine")
    check_installed()
    inputs = validate_events(network, events)
    timesteps, samples = next(iter(inputs.values())).shape[:2]
    steps = schedule(network).total_steps(timesteps, samples)
    if target == "loihi2":
        check_available()
        check_supported(network, timesteps)
    job = Job(timesteps, samples, "all" if network.early_exit else record, conv, target, measured)
    try:
        with tempfile.TemporaryDirectory(prefix="pumice-lava-") as name:
            folder = Path(name)
            write_job(folder, job, network, inputs)
            _run_worker(folder, _default_timeout(network, steps) if seconds is None else seconds)
            trace = apply_early_exit(network, read_result(folder, job, network, inputs))
            told = read_timing(folder) if measured else None
            return select_recorded(network, trace, record), told
    except OSError as error:
        raise EngineError(f"lava: {error}; mend this and run again") from error


def _default_timeout(network: Network, steps: int) -> float:
    """Return after how many seconds a run has surely hung."""
    processes = len(network.populations) + len(network.projections)
    synapses: int = sum(
        projection.connection.weights[0].size * network.population(projection.target).neurons
        for projection in network.projections
        if isinstance(projection.connection, connections.Conv | connections.Dense)
    )
    return START_SECONDS + steps * (PROCESS_SECONDS * processes + SYNAPSE_SECONDS * synapses)


def _run_worker(folder: Path, seconds: float) -> None:
    log, error = folder / "log.txt", folder / "error.txt"
    status = run_guarded(["-m", "pumice.deploy.lava.worker", str(folder)], log, seconds)
    if status:
        said = (error if error.exists() else log).read_text(encoding="utf-8", errors="replace")
        lines = said.strip().splitlines() or [f"ended with status {status} and no word"]
        raise EngineError(f"lava: {lines[-1]}")
