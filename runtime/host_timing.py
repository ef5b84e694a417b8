"""Latency and energy of inference on this machine, energy from RAPL counters where readable.

RAPL, https://docs.kernel.org/power/powercap/powercap.html, counts the energy of the entire
processor, idle power and other programs included. Linux lets only root read it by default.
"""

import platform
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from .engines import cpu
from .engines.registry import RunFunction, get_engine
from .events import Events, as_events, validate_events
from .network import Network

POWERCAP = Path("/sys/class/powercap")
CPUINFO = Path("/proc/cpuinfo")
PERCENTILES = (50, 95, 99)
WARMUP_RUNS = 3
DEFAULT_RUNS = {"lava": 3}
RaplReadings = dict[str, tuple[int, int]]  # microjoules, and the counter's largest value


@dataclass(frozen=True)
class HostTiming:
    """Latency and energy of single-sample inference on this machine.

    Attributes:
        engine: Name of the engine.
        processor: Name of the processor.
        runs: Number of timed runs.
        step: 50th, 95th and 99th percentile of a timestep, seconds; None where the engine cannot
            be stopped between them.
        inference: The same of an inference.
        joules: Energy of the processor per inference, idle power included; None where it cannot
            be read.
    """

    engine: str
    processor: str
    runs: int
    step: tuple[float, float, float] | None
    inference: tuple[float, float, float]
    joules: float | None = None


def time_engine(
    network: Network, inputs: Any, engine: str = "cpu", runs: int | None = None
) -> HostTiming:
    """Time single-sample inference on an engine, by its name.

    Args:
        network: Network to run.
        inputs: Events, as `run` takes them; samples are taken in turn.
        engine: Name of the engine.
        runs: Number of timed runs, by default 100, of Lava 3.

    Raises:
        EngineError: The events do not fit the inputs.
        MissingPackage: The engine lacks a package.
    """
    function = get_engine(engine).load()
    runs = DEFAULT_RUNS.get(engine, 100) if runs is None else runs
    return time_on_host(network, as_events(network, inputs), engine, function, runs)


def time_on_host(
    network: Network,
    events: Events,
    name: str,
    engine: RunFunction,
    runs: int = 100,
    powercap: Path = POWERCAP,
) -> HostTiming:
    """Time `runs` runs of `engine`, called `name`, one sample after the other.

    `events` are uint8 (timesteps, samples, *input shape). Timesteps are timed on the CPU engine
    alone, which can be stopped between them. Raises `EngineError` where the events do not fit.
    """
    validated = validate_events(network, events)
    samples = next(iter(validated.values())).shape[1]
    turns = [number % samples for number in range(runs)]
    single = [{key: array[:, [k]] for key, array in validated.items()} for k in range(samples)]
    for turn in turns[:WARMUP_RUNS]:
        engine(network, single[turn], "output")
    before, seconds = read_rapl(powercap), []
    for turn in turns:
        start = perf_counter()
        engine(network, single[turn], "output")
        seconds.append(perf_counter() - start)
    joules = energy_between(before, read_rapl(powercap))
    steps: list[float] = []
    if name == "cpu":
        for turn in turns:
            steps += _time_steps(network, single[turn])
    return HostTiming(
        name,
        cpu_name(),
        runs,
        _percentiles(steps) if steps else None,
        _percentiles(seconds),
        None if joules is None else joules / runs,
    )


def read_rapl(powercap: Path = POWERCAP) -> RaplReadings:
    """Read the energy counter of each processor package; empty where none is readable."""
    readings = {}
    for folder in sorted(powercap.glob("intel-rapl:*")):
        try:
            if (folder / "name").read_text().startswith("package"):
                energy, max_range = (
                    int((folder / key).read_text()) for key in ("energy_uj", "max_energy_range_uj")
                )
                readings[folder.name] = energy, max_range
        except (OSError, ValueError):
            continue
    return readings


def energy_between(before: RaplReadings, after: RaplReadings) -> float | None:
    """Compute the joules between two readings of counters that wrap; None without a counter."""
    both = before.keys() & after.keys()
    if not both:
        return None
    return sum((after[key][0] - before[key][0]) % (after[key][1] + 1) for key in both) * 1e-6


def cpu_name(cpuinfo: Path = CPUINFO) -> str:
    """Look up the name of this machine's processor."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def _time_steps(network: Network, events: Events) -> list[float]:
    """Time each timestep of one sample on the CPU engine, in seconds."""
    validated, states = validate_events(network, events), cpu.initial_state(network, 1)
    seconds = []
    for step in range(len(next(iter(validated.values())))):
        start = perf_counter()
        now = {name: array[[step]] for name, array in validated.items()}
        cpu.run_from_state(network, states, now, "output", 1)
        seconds.append(perf_counter() - start)
    return seconds


def _percentiles(seconds: list[float]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(seconds, PERCENTILES).tolist()
    return low, middle, high
