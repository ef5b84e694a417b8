"""What a network takes on this machine: seconds a step and an inference, and joules if readable.

Energy is that of RAPL counters, https://docs.kernel.org/power/powercap/powercap.html: the whole
processor's, idle power and other programs included. Linux lets only root read them by default.
"""

import platform
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from .engines import cpu
from .events import Events, validate_events
from .network import Network
from .verify import RunFunction

POWERCAP = Path("/sys/class/powercap")
CPUINFO = Path("/proc/cpuinfo")
PERCENTILES = (50, 95, 99)
WARMUP_RUNS = 3
RaplReadings = dict[str, tuple[int, int]]  # microjoules counted, and where the counter begins anew


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


def time_on_host(
    network: Network,
    events: Events,
    name: str,
    engine: RunFunction,
    runs: int = 100,
    powercap: Path = POWERCAP,
) -> HostTiming:
    """Run `engine`, called `name`, `runs` times on one sample after the other, and time it.

    `events` are uint8 (timesteps, samples, *input shape). Steps are timed on the fast engine alone,
    which can be stopped between them. Joules are None where no counter can be read. Raises
    `EngineError` where the events do not fit.
    """
    given = validate_events(network, events)
    samples = next(iter(given.values())).shape[1]
    turns = [number % samples for number in range(runs)]
    alone = [{key: array[:, [k]] for key, array in given.items()} for k in range(samples)]
    for turn in turns[:WARMUP_RUNS]:
        engine(network, alone[turn], "output")
    before, seconds = read_rapl(powercap), []
    for turn in turns:
        start = perf_counter()
        engine(network, alone[turn], "output")
        seconds.append(perf_counter() - start)
    joules = energy_between(before, read_rapl(powercap))
    steps = (
        [s for turn in turns for s in _time_steps(network, alone[turn])] if name == "cpu" else []
    )
    return HostTiming(
        name,
        cpu_name(),
        runs,
        _percentiles(steps) if steps else None,
        _percentiles(seconds),
        None if joules is None else joules / runs,
    )


def read_rapl(powercap: Path = POWERCAP) -> RaplReadings:
    """Return the energy counters of all processor packages; empty where none can be read."""
    found = {}
    for folder in sorted(powercap.glob("intel-rapl:*")):
        try:
            if (folder / "name").read_text().startswith("package"):
                now, most = (
                    int((folder / key).read_text()) for key in ("energy_uj", "max_energy_range_uj")
                )
                found[folder.name] = now, most
        except (OSError, ValueError):
            continue
    return found


def energy_between(before: RaplReadings, after: RaplReadings) -> float | None:
    """Return the joules between two readings, or None where there are none; counters go round."""
    both = before.keys() & after.keys()
    if not both:
        return None
    return sum((after[key][0] - before[key][0]) % (after[key][1] + 1) for key in both) * 1e-6


def cpu_name(cpuinfo: Path = CPUINFO) -> str:
    """Return the name of this machine's processor, as far as it is known."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _time_steps(network: Network, events: Events) -> list[float]:
    """Return the seconds of each step of one sample, on the fast engine."""
    given, states, seconds = validate_events(network, events), cpu.initial_state(network, 1), []
    for step in range(len(next(iter(given.values())))):
        start = perf_counter()
        cpu.run_from_state(network, states, {k: v[[step]] for k, v in given.items()}, "output", 1)
        seconds.append(perf_counter() - start)
    return seconds


def _percentiles(seconds: list[float]) -> tuple[float, float, float]:
    low, middle, high = np.percentile(seconds, PERCENTILES).tolist()
    return low, middle, high
