"""Lava engine: run a network as Lava processes in Lava's simulator, with bit-identical results."""

import os
import tempfile
from dataclasses import dataclass
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
PROCESS_SECONDS = 0.02  # per process and step: forty times the time measured on two cores
SYNAPSE_SECONDS = 1e-7


@dataclass(frozen=True)
class _Options:
    timeout: float | None
    conv: ConvModel
    target: RunTarget
    record_timing: bool


def run(
    network: Network | Program,
    events: Events,
    record: Record = "all",
    *,
    timeout: float | None = None,
    conv: ConvModel = "sparse",
    target: RunTarget = "simulator",
) -> Trace:
    """Run a network as Lava processes.

    The samples of a batch run one after the other, each from zero state, in a process of its own.
    If samples may stop early, the Lava processes go on to the next reset, and what they send after
    the stop is left out of the trace.

    Args:
        network: The network. A program runs with one process for each slice of each core, and gives
            the same trace (`pumice.deploy.passes.split` says which populations are not split).
        events: uint8 (timesteps, batch, *input shape).
        record: Content of the trace.
        timeout: Seconds after which the run is ended; by default some minutes, by its size.
        conv: Model of convolutions: "sparse" (one sparse matrix product per step) or "lava" (Lava's
            own model where it can represent the convolution; far slower).
        target: "simulator", or "loihi2" to run on the chip if Intel's package is installed.

    Raises:
        EngineError: The events do not fit the network, a cycle is too short for a chip (see
            `pumice.deploy.passes.schedule`), a Lava process fails (with its own message), the time
            limit is reached, or the chip cannot be used.
        MissingPackage: Lava is not installed.
    """
    return _run(network, events, record, _Options(timeout, conv, target, False))[0]


def measure(
    network: Network | Program,
    events: Events,
    record: Record = "all",
    *,
    timeout: float | None = None,
    conv: ConvModel = "sparse",
    target: RunTarget = "simulator",
) -> tuple[Trace, LavaTiming]:
    """Run as `run` does, and measure the time.

    Returns:
        The trace, and the time of each process in a step in the simulator, or the readings of
        Intel's power and time probes on the chip.
    """
    trace, timing = _run(network, events, record, _Options(timeout, conv, target, True))
    assert timing
    return trace, timing


def _run(
    network: Network | Program, events: Events, record: Record, options: _Options
) -> tuple[Trace, LavaTiming | None]:
    if isinstance(network, Program):
        return _run_program(network, events, record, options)
    if os.name != "posix":
        raise EngineError("lava: runs on Linux and macOS only; use another engine")
    check_installed()
    inputs = validate_events(network, events)
    timesteps, samples = next(iter(inputs.values())).shape[:2]
    if options.target == "loihi2":
        check_available()
        check_supported(network, timesteps, record)
    needed: Record = "all" if network.early_exit and record == "output" else record
    job = Job(timesteps, samples, needed, options.conv, options.target, options.record_timing)
    timeout = options.timeout
    if timeout is None:
        timeout = _default_timeout(network, schedule(network).total_steps(timesteps, samples))
    try:
        with tempfile.TemporaryDirectory(prefix="pumice-lava-") as name:
            folder = Path(name)
            write_job(folder, job, network, inputs)
            _run_worker(folder, timeout)
            trace = apply_early_exit(network, read_result(folder, job, network, inputs))
            timing = read_timing(folder) if options.record_timing else None
            return select_recorded(network, trace, record), timing
    except OSError as error:
        raise EngineError(f"lava: {error}; fix this and run again") from error


def _run_program(
    program: Program, events: Events, record: Record, options: _Options
) -> tuple[Trace, LavaTiming | None]:
    split, network = split_by_core(program), program.network
    needed: Record = "states" if record == "states" else "all"
    of_slices, timing = _run(split.network, events, needed, options)
    trace = apply_early_exit(network, merge_trace(program, split, of_slices))
    return select_recorded(network, trace, record), timing


def _default_timeout(network: Network, steps: int) -> float:
    """Seconds after which a run has certainly hung."""
    processes = len(network.populations) + len(network.projections)
    synapses: int = sum(
        projection.connection.weights[0].size * network.population(projection.target).neurons
        for projection in network.projections
        if isinstance(projection.connection, connections.Conv | connections.Dense)
    )
    return START_SECONDS + steps * (PROCESS_SECONDS * processes + SYNAPSE_SECONDS * synapses)


def _run_worker(folder: Path, timeout: float) -> None:
    log, error = folder / "log.txt", folder / "error.txt"
    status = run_guarded(["-m", "pumice.deploy.lava.worker", str(folder)], log, timeout)
    if status:
        output = (error if error.exists() else log).read_text(encoding="utf-8", errors="replace")
        lines = output.strip().splitlines() or [f"ended with status {status} and no message"]
        raise EngineError(f"lava: {lines[-1]}")
