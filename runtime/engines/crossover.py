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
from .layout import Crossover, laid_out
from .tables import Bytes, Layout, Recording, scratch_for, silence

NEVER = 2.0
SHARES = (0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
TIMESTEPS, REPEATS = 8, 5
MEASURED_ON: dict[str, tuple[Dense | Conv, tuple[int, ...]]] = {
    "dense": (Dense(np.tile(np.array([-2, 2], np.int16), (256, 256))), (512,)),
    "conv": (Conv(np.tile(np.array([-2, 2, 2], np.int16), (32, 32, 3, 1)), (1, 1)), (32, 16, 16)),
}


@functools.cache
def crossover() -> Crossover:
    """Return what was measured on this machine before, or measure it, which takes a moment.

    It is kept in the user's cache folder for this processor and these loops. No result
    depends on it.
    """
    loops = hashlib.sha256(Path(kernels.__file__).read_bytes())
    loops.update(_processor().encode())
    file = cached(f"crossover-{loops.hexdigest()[:16]}.json")
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file else {}
        return Crossover(float(found["dense"]), float(found["conv"]))
    except (OSError, ValueError, KeyError, TypeError):
        measured = Crossover(**{name: _measured(*MEASURED_ON[name]) for name in MEASURED_ON})
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
    """Return the least share from which on products were faster in the fastest of a few runs."""
    populations = (
        Population("in", shape, "input"),
        Population("out", connection.target_shape(shape), threshold=1000),
    )
    network = Network(populations, (Projection("p", "in", "out", connection),))
    ways = [laid_out(network, Crossover(share, share)) for share in (NEVER, 0.0)]
    random = np.random.default_rng(0).random((TIMESTEPS, *shape), np.float32)
    least = NEVER
    for share in reversed(SHARES):
        events = (random < share).astype(np.uint8).reshape(-1)
        events.flags.writeable = False  # as in all runs, or the loops would be compiled twice
        times: list[list[float]] = [[], []]
        for _ in range(REPEATS):
            for layout, taken in zip(ways, times, strict=True):
                taken.append(_seconds(layout, events))
        if min(times[1]) > min(times[0]):
            break
        least = share
    return least


def _seconds(layout: Layout, events: Bytes) -> float:
    """Return how long a run takes."""
    nothing, nowhere = np.zeros(0, np.int32), np.full(len(layout.populations), -1)
    counts, steps = np.zeros((1, layout.sizes[1]), np.int32), np.zeros(1, np.int64)
    recording = Recording(
        TIMESTEPS, 1, events, np.zeros(0, np.uint8), nowhere, nothing, nowhere, counts, steps
    )
    states, scratch = silence(layout, 1), scratch_for(layout)
    start = time.perf_counter()
    kernels.advance(layout, states, recording, scratch, 0, 1, True)
    return time.perf_counter() - start
