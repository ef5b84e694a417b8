"""What Lava took: each process's time a step in the simulator, or Loihi's probes on the chip."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

TIMERS_FILE, TIMING_FILE = "clocks.npy", "measured.json"


@dataclass(frozen=True)
class ProcessTime:
    """One Lava process: the seconds it works in a step, and those with waiting for others.

    `kind` is the name of its Lava process class.
    """

    process: str
    kind: str
    busy: float
    elapsed: float


@dataclass(frozen=True)
class LavaTiming:
    """A run of so many `steps` in Lava: `processes` in the simulator, `probes` on the chip.

    Probes are means: `seconds_per_step`, and in watts `total_power`, `static_power` and those of
    the three supplies. Power is the board's.
    """

    steps: int
    processes: tuple[ProcessTime, ...] = ()
    probes: Mapping[str, float] = field(default_factory=dict)


def attach_timers(folder: Path, processes: list[Any]) -> NDArray[np.float64]:
    """Have `processes` write the seconds they work and wait into a shared array, and return it.

    For the simulator, before its processes are forked: float64 (processes, 2).
    """
    from lava.magma.core.model.py.model import PyLoihiProcessModel

    np.save(folder / TIMERS_FILE, np.zeros((len(processes), 2)))
    clocks: NDArray[np.float64] = np.load(folder / TIMERS_FILE, mmap_mode="r+")
    for process, own in zip(processes, clocks, strict=True):
        process.proc_params["clock"] = own
    plain = PyLoihiProcessModel._spike

    def timed(model: Any) -> None:
        start, busy = perf_counter(), thread_time()
        plain(model)
        spent: NDArray[np.float64] = model.proc_params["clock"]
        spent += thread_time() - busy, perf_counter() - start

    PyLoihiProcessModel._spike = timed
    return clocks


def write_process_times(
    folder: Path, processes: list[Any], clocks: NDArray[np.float64], steps: int
) -> None:
    """Write what the clocks say, for `read_measured`."""
    times = tuple(
        ProcessTime(process.name, type(process).__name__, float(busy), float(wall))
        for process, (busy, wall) in zip(processes, clocks / steps, strict=True)
    )
    _write_timing(folder, LavaTiming(steps, processes=times))


def write_probe_readings(folder: Path, power: Any, time: Any, steps: int) -> None:
    """Write what Loihi's probes say, for `read_measured`."""
    _write_timing(folder, LavaTiming(steps, probes=dict(_probe_readings(power, time))))


def _probe_readings(power: Any, time: Any) -> Iterator[tuple[str, float]]:
    yield "seconds_per_step", float(np.mean(time.time_per_step)) * 1e-6
    for ours, theirs in (
        ("total_power", "total_power"),
        ("static_power", "static_total_power"),
        ("vdd_power", "vdd_power"),
        ("vddm_power", "vddm_power"),
        ("vddio_power", "vddio_power"),
    ):
        yield ours, float(np.mean(getattr(power, theirs)))


def _write_timing(folder: Path, measured: LavaTiming) -> None:
    (folder / TIMING_FILE).write_text(json.dumps(asdict(measured)), encoding="utf-8")


def read_timing(folder: Path) -> LavaTiming:
    """Return what a job that was to be measured has told."""
    told = json.loads((folder / TIMING_FILE).read_text(encoding="utf-8"))
    processes = tuple(ProcessTime(**each) for each in told["processes"])
    return LavaTiming(told["steps"], processes, told["probes"])
