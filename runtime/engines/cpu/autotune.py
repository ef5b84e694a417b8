"""From which share of active sources products are faster than events: measured once a machine."""

import functools
import hashlib
import json
import math
import platform
import time
from pathlib import Path

import numpy as np

from ...connections import Conv, conv_output_size
from ...errors import FileError
from ...files import atomic_write, cache_path
from ...network import Network
from ...population import Population
from ...projection import Projection
from . import kernels
from .compile import Shape, compile_network
from .structs import (
    Bytes,
    CompiledNetwork,
    Recording,
    State,
    Workspace,
    allocate_workspace,
    partitions,
    zero_state,
)

NEVER_DENSE, DEFAULT_THRESHOLD = 2.0, 0.1
MIN_SYNAPSES = 2**12  # synapses that are not worth measuring
MAX_WINDOWS, MAX_INPUTS, MAX_OUTPUTS = (
    16,
    4096,
    1024,
)  # of larger layers so many are measured, along each axis
MIN_FRACTION, MAX_FRACTION = (
    0.002,
    0.5,
)  # shares that are tried; from more on products are not worth a thought
BISECTIONS = 5
TIMESTEPS, WARMUP_RUNS = 8, 2  # steps of a run; runs of a turn, of which the first may lack weights
REPEATS, SECONDS = 4, 0.003  # turns, and how long they take at least
WEIGHT_PATTERN = np.array([-2, 2, 2], np.int16)


def dense_threshold(conv: Conv, source: Shape) -> float:
    """Return the share of active sources from which on products of `conv` are faster.

    `source` is the shape (channels, height, width) of what it reads. What was measured is kept in
    the user's cache folder, for this processor and these loops: a layer of new sizes takes a few
    hundredths of a second, a large one tenths, once. No result depends on it.
    """
    conv, source = _shrink_layer(conv, source)
    outputs, inputs, *kernel = conv.weights.shape
    windows = math.prod(conv_output_size(conv, source))
    if windows * conv.weights.size < MIN_SYNAPSES:
        return DEFAULT_THRESHOLD
    sizes = (conv.groups, outputs, inputs, *kernel, *conv.stride, *conv.padding, *conv.dilation)
    key = " ".join(map(str, (*sizes, *source)))
    known = _load_cache()
    if key not in known:
        known[key] = _measure(conv, source)
        _save_cache(known)
    return known[key]


def _shrink_layer(conv: Conv, source: Shape) -> tuple[Conv, Shape]:
    """Return a layer that costs each window as much as `conv`, where that has many."""
    outputs, inputs, *kernel = conv.weights.shape
    if conv.groups == 1:
        outputs, inputs = min(outputs, MAX_OUTPUTS), min(inputs, MAX_INPUTS)
    across = [
        min(size, max(1, (MAX_WINDOWS - 1) * stride + (k - 1) * dilation + 1 - 2 * padding))
        for size, k, stride, padding, dilation in zip(
            source[1:], kernel, conv.stride, conv.padding, conv.dilation, strict=True
        )
    ]
    weights = np.resize(WEIGHT_PATTERN, (outputs, inputs, *kernel))
    like = Conv(weights, conv.stride, conv.padding, conv.dilation, conv.groups)
    return like, (inputs * conv.groups, *across)


@functools.cache
def _load_cache() -> dict[str, float]:
    """Return what was measured before, by sizes."""
    file = _cache_file()
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file else {}
        shares = {key: float(share) for key, share in found.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
    return {key: share for key, share in shares.items() if MIN_FRACTION <= share <= NEVER_DENSE}


def _save_cache(known: dict[str, float]) -> None:
    """Write what was measured, where that can be."""
    file = _cache_file()
    if file:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(file) as temporary:
                temporary.write_text(json.dumps(known), encoding="utf-8")
        except (OSError, FileError):
            pass  # it is measured again next time


def _cache_file() -> Path | None:
    loops = hashlib.sha256(Path(kernels.__file__).read_bytes())
    loops.update(Path(__file__).read_bytes() + _cpu_model().encode())
    return cache_path(f"crossover-{loops.hexdigest()[:16]}.json")


def _cpu_model() -> str:
    """Return what the system calls the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"


def _measure(conv: Conv, source: Shape) -> float:
    """Return from which share on products are faster, in the fastest of a few runs.

    The share is closed in from both sides; between the last two, it is where a straight line
    between what products gained at both crosses zero.
    """
    target = conv.target_shape(source)
    populations = Population("in", source, "input"), Population("out", target, threshold=1000)
    network = Network(populations, (Projection("p", "in", "out", conv),))
    multiplied = compile_network(network, lambda *_: 0.0)
    added = multiplied._replace(projections=multiplied.projections.copy())
    added.projections["product"] = 0
    ways = [(way, zero_state(way, 1), allocate_workspace(way)) for way in (added, multiplied)]
    random = np.random.default_rng(0).random((TIMESTEPS, *source), np.float32)

    def gained(share: float) -> float:
        """Return the seconds that products save."""
        events = (random < share).astype(np.uint8).reshape(-1)
        events.flags.writeable = False  # as in all runs, or the loops would be compiled twice
        least = [math.inf, math.inf]
        end, turns = time.perf_counter() + SECONDS, 0
        while turns < REPEATS or time.perf_counter() < end:
            turns += 1
            for number, way in enumerate(ways):
                took = min(_time_run(*way, events) for _ in range(WARMUP_RUNS))
                least[number] = min(least[number], took)
        return least[0] - least[1]

    low, high = MIN_FRACTION, MAX_FRACTION
    lost, won = gained(low), gained(high)
    if won < 0:
        return NEVER_DENSE
    if lost >= 0:
        return MIN_FRACTION
    for _ in range(BISECTIONS):
        between = math.sqrt(low * high)
        here = gained(between)
        if here < 0:
            low, lost = between, here
        else:
            high, won = between, here
    return low + (high - low) * lost / (lost - won)


def _time_run(layout: CompiledNetwork, states: State, scratch: Workspace, events: Bytes) -> float:
    """Return how long a run takes."""
    nothing, nowhere = np.zeros(0, np.int32), np.full(len(layout.populations), -1)
    counts, steps = np.zeros((1, layout.sizes[1]), np.int32), np.zeros(1, np.int64)
    recording = Recording(
        TIMESTEPS, 1, events, np.zeros(0, np.uint8), nowhere, nothing, nowhere, counts, steps
    )
    start = time.perf_counter()
    kernels.run_samples(layout, states, recording, scratch, True, *partitions(1))
    return time.perf_counter() - start
