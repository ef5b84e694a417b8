"""Autotune the activity above which a layer's dense path beats the event-driven path, per CPU."""

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
MIN_SYNAPSES = 2**12  # below that a layer is not worth measuring
MAX_WINDOWS, MAX_INPUTS, MAX_OUTPUTS = 16, 4096, 1024  # measured part of a layer, along each axis
MIN_FRACTION, MAX_FRACTION = 0.002, 0.5  # range of active fractions that is searched
BISECTIONS = 5
TIMESTEPS, WARMUP_RUNS = 8, 2  # timesteps of a run; runs of a repeat, the first with a cold cache
REPEATS, SECONDS = 4, 0.003  # minimum number of repeats, and minimum duration of them all
WEIGHT_PATTERN = np.array([-2, 2, 2], np.int16)


def dense_threshold(conv: Conv, source: Shape) -> float:
    """Look up or measure the fraction of active sources above which the dense path is faster.

    Results are cached in the user's cache folder, per processor and version of the loops: a new
    layer takes some hundredths of a second, a large one tenths, once. No result of a run depends on
    it.

    Args:
        conv: Layer; dense layers are convolutions of a 1 x 1 map.
        source: Shape (channels, height, width) of its source.
    """
    conv, source = _shrink_layer(conv, source)
    outputs, inputs, *kernel = conv.weights.shape
    windows = math.prod(conv_output_size(conv, source))
    if windows * conv.weights.size < MIN_SYNAPSES:
        return DEFAULT_THRESHOLD
    sizes = (conv.groups, outputs, inputs, *kernel, *conv.stride, *conv.padding, *conv.dilation)
    key = " ".join(map(str, (*sizes, *source)))
    cache = _load_cache()
    if key not in cache:
        cache[key] = _measure(conv, source)
        _save_cache(cache)
    return cache[key]


def _shrink_layer(conv: Conv, source: Shape) -> tuple[Conv, Shape]:
    """Shrink a large layer to one with the same cost per output position."""
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
    shrunk = Conv(weights, conv.stride, conv.padding, conv.dilation, conv.groups)
    return shrunk, (inputs * conv.groups, *across)


@functools.cache
def _load_cache() -> dict[str, float]:
    """Load the thresholds measured before, by layer sizes."""
    file = _cache_file()
    try:
        entries = json.loads(file.read_text(encoding="utf-8")) if file else {}
        fractions = {key: float(fraction) for key, fraction in entries.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        return {}
    return {k: value for k, value in fractions.items() if MIN_FRACTION <= value <= NEVER_DENSE}


def _save_cache(cache: dict[str, float]) -> None:
    """Save the measured thresholds, where that is possible."""
    file = _cache_file()
    if file:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(file) as temporary:
                temporary.write_text(json.dumps(cache), encoding="utf-8")
        except (OSError, FileError):
            pass  # measured again next time


def _cache_file() -> Path | None:
    loops = hashlib.sha256(Path(kernels.__file__).read_bytes())
    loops.update(Path(__file__).read_bytes() + _cpu_model().encode())
    return cache_path(f"crossover-{loops.hexdigest()[:16]}.json")


def _cpu_model() -> str:
    """Look up the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return f"{platform.machine()} {platform.processor()}"


def _measure(conv: Conv, source: Shape) -> float:
    """Measure the fraction of active sources at which both paths take equally long.

    The fraction is bracketed by bisection; between the last two bounds, the time that the dense
    path saves is interpolated linearly to zero.
    """
    target = conv.target_shape(source)
    populations = Population("in", source, "input"), Population("out", target, threshold=1000)
    network = Network(populations, (Projection("p", "in", "out", conv),))
    dense = compile_network(network, lambda *_: 0.0)
    sparse = dense._replace(projections=dense.projections.copy())
    sparse.projections["product"] = 0
    paths = [(path, zero_state(path, 1), allocate_workspace(path)) for path in (sparse, dense)]
    random = np.random.default_rng(0).random((TIMESTEPS, *source), np.float32)

    def time_saved(fraction: float) -> float:
        """Measure the seconds that the dense path saves."""
        events = (random < fraction).astype(np.uint8).reshape(-1)
        events.flags.writeable = False  # as in all runs, or the loops would be compiled twice
        best = [math.inf, math.inf]
        end, repeats = time.perf_counter() + SECONDS, 0
        while repeats < REPEATS or time.perf_counter() < end:
            repeats += 1
            for number, path in enumerate(paths):
                seconds = min(_time_run(*path, events) for _ in range(WARMUP_RUNS))
                best[number] = min(best[number], seconds)
        return best[0] - best[1]

    low, high = MIN_FRACTION, MAX_FRACTION
    saved_low, saved_high = time_saved(low), time_saved(high)
    if saved_high < 0:
        return NEVER_DENSE
    if saved_low >= 0:
        return MIN_FRACTION
    for _ in range(BISECTIONS):
        middle = math.sqrt(low * high)
        saved = time_saved(middle)
        if saved < 0:
            low, saved_low = middle, saved
        else:
            high, saved_high = middle, saved
    return low + (high - low) * saved_low / (saved_low - saved_high)


def _time_run(compiled: CompiledNetwork, states: State, scratch: Workspace, events: Bytes) -> float:
    """Time one run, in seconds."""
    empty, unrecorded = np.zeros(0, np.int32), np.full(len(compiled.populations), -1)
    counts, steps = np.zeros((1, compiled.sizes[1]), np.int32), np.zeros(1, np.int64)
    recording = Recording(
        TIMESTEPS, 1, events, np.zeros(0, np.uint8), unrecorded, empty, unrecorded, counts, steps
    )
    start = time.perf_counter()
    kernels.run_samples(compiled, states, recording, scratch, True, *partitions(1))
    return time.perf_counter() - start
