"""Timing of Lava runs: time per process and step in the simulator, or Loihi 2's probes."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

TIMERS_FILE, TIMING_FILE = "timers.npy", "timing.json"


@dataclass(frozen=True)
class ProcessTime:
    """Time of one Lava process per step, in seconds.

    Attributes:
        process: Name of the process.
        kind: Name of its Lava process class.
        busy: CPU time.
        elapsed: Elapsed time, which includes waiting for other processes.
    """

    process: str
    kind: str
    busy: float
    elapsed: float


@dataclass(frozen=True)
class LavaTiming:
    """Timing of a run in Lava.

    Attributes:
        steps: Number of steps.
        processes: Time of each process, in the simulator.
        probes: Mean readings on the chip: `seconds_per_step`, and in watts `total_power`,
            `static_power` and those of the three supplies. Power is that of the board.
    """

    steps: int
    processes: tuple[ProcessTime, ...] = ()
    probes: Mapping[str, float] = field(default_factory=dict)


def attach_timers(folder: Path, processes: list[Any]) -> NDArray[np.float64]:
    """Make `processes` add their CPU and elapsed seconds to a shared array, before they are forked.

    Returns:
        That array, float64 (processes, 2).
    """
    from lava.magma.core.model.py.model import PyLoihiProcessModel

    np.save(folder / TIMERS_FILE, np.zeros((len(processes), 2)))
    timers: NDArray[np.float64] = np.load(folder / TIMERS_FILE, mmap_mode="r+")
    for process, timer in zip(processes, timers, strict=True):
        process.proc_params["timer"] = timer
    original = PyLoihiProcessModel._spike

    def run_timed(model: Any) -> None:
        start, busy = perf_counter(), thread_time()
        original(model)
        timer: NDArray[np.float64] = model.proc_params["timer"]
        timer += thread_time() - busy, perf_counter() - start

    PyLoihiProcessModel._spike = run_timed
    return timers


def write_process_times(
    folder: Path, processes: list[Any], timers: NDArray[np.float64], steps: int
) -> None:
    """Write the readings of the timers, for `read_timing`."""
    times = tuple(
        ProcessTime(process.name, type(process).__name__, float(busy), float(elapsed))
        for process, (busy, elapsed) in zip(processes, timers / steps, strict=True)
    )
    _write_timing(folder, LavaTiming(steps, processes=times))


def write_probe_readings(folder: Path, power: Any, time: Any, steps: int) -> None:
    """Write the readings of Loihi's probes, for `read_timing`."""
    _write_timing(folder, LavaTiming(steps, probes=dict(_probe_readings(power, time))))


def _probe_readings(power: Any, time: Any) -> Iterator[tuple[str, float]]:
    yield "seconds_per_step", float(np.mean(time.time_per_step)) * 1e-6
    for name, attribute in (
        ("total_power", "total_power"),
        ("static_power", "static_total_power"),
        ("vdd_power", "vdd_power"),
        ("vddm_power", "vddm_power"),
        ("vddio_power", "vddio_power"),
    ):
        yield name, float(np.mean(getattr(power, attribute)))


def _write_timing(folder: Path, timing: LavaTiming) -> None:
    (folder / TIMING_FILE).write_text(json.dumps(asdict(timing)), encoding="utf-8")


def read_timing(folder: Path) -> LavaTiming:
    """Read the timing of a job with `record_timing`."""
    timing = json.loads((folder / TIMING_FILE).read_text(encoding="utf-8"))
    processes = tuple(ProcessTime(**each) for each in timing["processes"])
    return LavaTiming(timing["steps"], processes, timing["probes"])
