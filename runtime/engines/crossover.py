"""From which share of active sources products are faster than events: measured once a machine."""

import functools
import hashlib
import json
import platform
import time
from pathlib import Path

import numpy as np

from ..connections import Conv, Dense
from ..errors import FileError
from ..files import cached, written
from ..network import Network
from ..population import Population
from ..projection import Projection
from . import kernels
from .layout import LONG, SHORT, Crossover, Line, laid_out
from .tables import Bytes, Layout, Recording, Scratch, State, scratch_for, silence, tiles

NEVER, ALWAYS = 2.0, 1e-9
SHARES = (0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.045, 0.07, 0.1, 0.15, 0.25, 0.4, 0.7, 1.0)
TIMESTEPS, REPEATS = 8, 5
EVEN = np.array([-2, 2, 2], np.int16)
Measured = tuple[Dense | Conv, tuple[int, ...]]


def _dense(run: int) -> Measured:
    return Dense(np.resize(EVEN, (run, 1024))), (1024,)


def _conv(run: int) -> Measured:
    channels = run // 3
    return Conv(np.resize(EVEN, (channels, channels, 3, 3))), (channels, 10, 10)


MEASURED_ON = {"dense": _dense, "conv": _conv}


@functools.cache
def crossover() -> Crossover:
    """Return what was measured on this machine before, or measure it, which takes a moment.

    It is kept in the user's cache folder for this processor and these loops. No result
    depends on it.
    """
    loops = hashlib.sha256(Path(kernels.__file__).read_bytes())
    loops.update(Path(__file__).read_bytes() + _processor().encode())
    file = cached(f"crossover-{loops.hexdigest()[:16]}.json")
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file else {}
        return Crossover(**{name: Line(*map(float, found[name])) for name in MEASURED_ON})
    except (OSError, ValueError, KeyError, TypeError):
        measured = Crossover(
            **{
                name: Line(*(_measured(*on(run)) for run in (SHORT, LONG)))
                for name, on in MEASURED_ON.items()
            }
        )
    if file:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with written(file) as temporary:
                temporary.write_text(json.dumps(measured._asdict()), encoding="utf-8")
        except (OSError, FileError):
            pass  # it is measured again next time
    return measured


def _processor() -> str:
    """Return what the system calls the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"


def _measured(connection: Dense | Conv, shape: tuple[int, ...]) -> float:
    """Return from which share on products were faster in the fastest of a few runs.

    Between two shares that were tried, it is where a straight line between both crosses zero.
    """
    populations = (
        Population("in", shape, "input"),
        Population("out", connection.target_shape(shape), threshold=1000),
    )
    network = Network(populations, (Projection("p", "in", "out", connection),))
    lines = [Line(share, share) for share in (NEVER, ALWAYS)]
    ways = [laid_out(network, Crossover(line, line)) for line in lines]
    rooms = [(layout, silence(layout, 1), scratch_for(layout)) for layout in ways]
    random = np.random.default_rng(0).random((TIMESTEPS, *shape), np.float32)
    least, before = NEVER, 0.0
    for share in reversed(SHARES):
        events = (random < share).astype(np.uint8).reshape(-1)
        events.flags.writeable = False  # as in all runs, or the loops would be compiled twice
        times: list[list[float]] = [[], []]
        for _ in range(REPEATS):
            for room, taken in zip(rooms, times, strict=True):
                taken.append(_seconds(*room, events))
        gained = min(times[0]) - min(times[1])
        if gained < 0:
            return least if least == NEVER else share + (least - share) * gained / (gained - before)
        least, before = share, gained
    return least


def _seconds(layout: Layout, states: State, scratch: Scratch, events: Bytes) -> float:
    """Return how long a run takes."""
    nothing, nowhere = np.zeros(0, np.int32), np.full(len(layout.populations), -1)
    counts, steps = np.zeros((1, layout.sizes[1]), np.int32), np.zeros(1, np.int64)
    recording = Recording(
        TIMESTEPS, 1, events, np.zeros(0, np.uint8), nowhere, nothing, nowhere, counts, steps
    )
    start = time.perf_counter()
    kernels.advance(layout, states, recording, scratch, 0, 1, True, *tiles(1))
    return time.perf_counter() - start
