"""The fast engine: event-driven loops for CPUs, compiled by numba, equal to the reference.

The first run after installation compiles the loops, which takes half a minute; numba keeps them on
disk. The samples of a batch run on Python threads, which the loops leave unlocked.
"""

import os
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError
from ...events import Events, validate_events
from ...network import Network
from ...population import Population
from ...trace import Record, Trace, zero_after_exit
from .autotune import dense_threshold
from .compile import compile_network
from .kernels import run_samples
from .structs import (
    CompiledNetwork,
    Recording,
    State,
    Workspace,
    allocate_workspace,
    partitions,
    zero_state,
)
from .threads import parallel_for

MIN_WORK, MIN_NEURONS_PER_THREAD = (
    2**20,
    100_000,
)  # neurons times steps, and neurons a thread, that are worth one more
ABORTED = -(2**62)  # makes threads wait for each other no longer


class _CacheEntry:
    """What is kept of a network while it lives: its layout, and room for runs, to be used again."""

    def __init__(self, layout: CompiledNetwork) -> None:
        self.layout = layout
        self.free: list[tuple[Workspace, State]] = []

    @contextmanager
    def workspace(self) -> Iterator[tuple[Workspace, State]]:
        """Lend room for one thread and the states of one sample."""
        try:
            room = self.free.pop()
        except IndexError:
            room = allocate_workspace(self.layout), zero_state(self.layout, 1)
        try:
            yield room
        finally:
            self.free.append(room)


def run(
    network: Network, events: Events, record: Record = "all", threads: int | None = None
) -> Trace:
    """Run `network` on `events`, uint8 (timesteps, batch, *input shape), from a silent state.

    At most `threads` samples run at once, if not given as many as there are processors; results
    never depend on it. Raises `EngineError` where the events do not fit the inputs.
    """
    return _run_checked(network, None, validate_events(network, events), record, threads)


def initial_state(network: Network, batch: int) -> State:
    """Return the states of `batch` samples before their first step; `resume` changes them."""
    return zero_state(compiled_network(network), batch)


def run_from_state(
    network: Network,
    states: State,
    events: Events,
    record: Record = "all",
    threads: int | None = None,
) -> Trace:
    """Go on from `states` with `events`, as `run` does; a stream may be cut anywhere.

    The trace covers these events alone. Raises `EngineError` where the events do not fit.
    """
    given = validate_events(network, events)
    batch = next(iter(given.values())).shape[1]
    if len(states.current) != batch:
        raise EngineError(f"events of {batch} samples, but states of {len(states.current)}")
    return _run_checked(network, states, given, record, threads)


def _run_checked(
    network: Network,
    states: State | None,
    given: dict[str, NDArray[np.uint8]],
    record: Record,
    threads: int | None,
) -> Trace:
    """Advance `states`, or silence, by checked events of each input; return what came of it."""
    kept = _cache_entry(network)
    timesteps, batch = next(iter(given.values())).shape[:2]
    spiking = [
        p
        for p in network.topological_order
        if p.kind == "cuba" and (record == "all" or p.name == network.output)
    ]
    integrators = [p for p in network.topological_order if p.kind == "integrator"]
    recording = Recording(
        timesteps,
        batch,
        _concatenate(given),
        np.zeros(timesteps * batch * _count_neurons(spiking), np.uint8),
        _offsets(network, spiking),
        np.empty(timesteps * batch * _count_neurons(integrators), np.int32),
        _offsets(network, integrators),
        np.zeros((batch, kept.layout.sizes[1]), np.int32),
        np.full(batch, timesteps, np.int64),
    )
    _run_batch(kept, states, recording, threads or os.cpu_count() or 1)
    steps = recording.steps
    lead = (timesteps, batch)
    spikes = {}
    if record == "all":
        spikes = {name: zero_after_exit(array, steps) for name, array in given.items()}
    voltages = _split(recording.voltages, lead, integrators)
    spikes |= _split(recording.spikes, lead, spiking)
    return Trace(
        timesteps, batch, spikes, _split_counts(network, recording.counts), voltages, steps
    )


def _run_batch(kept: _CacheEntry, states: State | None, recording: Recording, threads: int) -> None:
    """Advance all samples: threads take one after the other, or share each where they are few."""
    layout, batch = kept.layout, recording.batch
    shared = min(threads, layout.sizes[1] // MIN_NEURONS_PER_THREAD)
    if batch < shared and layout.steps > 1 and layout.sizes[1] * recording.timesteps >= MIN_WORK:
        _run_intra_sample(kept, states, recording, shared)
        return
    (whole,) = partitions(1)

    def take(_: int) -> None:
        with kept.workspace() as (scratch, own):
            given = own if states is None else states
            run_samples(layout, given, recording, scratch, states is None, whole)

    parallel_for(take, min(threads, batch))


def _run_intra_sample(
    kept: _CacheEntry, states: State | None, recording: Recording, threads: int
) -> None:
    """Advance one sample after the other, each on all threads."""
    parts = partitions(threads)
    with ExitStack() as stack:
        rooms = [stack.enter_context(kept.workspace()) for _ in parts]
        given = rooms[0][1] if states is None else states

        def share(number: int) -> None:
            scratch, _ = rooms[number]
            run_samples(kept.layout, given, recording, scratch, states is None, parts[number])

        def give_up() -> None:
            parts[0].counter[0] = ABORTED

        parallel_for(share, threads, give_up)


_cache: dict[int, _CacheEntry] = {}


def compiled_network(network: Network) -> CompiledNetwork:
    """Return the layout of `network`, made once and dropped with it."""
    return _cache_entry(network).layout


def _cache_entry(network: Network) -> _CacheEntry:
    key = id(network)
    kept = _cache.get(key)
    if kept is None:
        made = _CacheEntry(compile_network(network, dense_threshold))
        kept = _cache.setdefault(key, made)
        if kept is made:  # and not what another thread has made meanwhile
            weakref.finalize(network, _cache.pop, key)
    return kept


def _concatenate(events: dict[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the events of all inputs as one flat read-only array; of one input, without a copy."""
    flat = [array.reshape(-1) for array in events.values()]
    joined = flat[0].view() if len(flat) == 1 else np.concatenate(flat)
    joined.flags.writeable = False
    return joined


def _count_neurons(populations: list[Population]) -> int:
    return sum(p.neurons for p in populations)


def _offsets(network: Network, recorded: list[Population]) -> NDArray[np.int64]:
    """Return for each running population where it starts among those `recorded`, else -1."""
    places, first = {}, 0
    for p in recorded:
        places[p.name] = first
        first += p.neurons
    return np.array(
        [places.get(p.name, -1) for p in (*network.inputs, *network.topological_order)], np.int64
    )


def _split(
    flat: NDArray[Any], lead: tuple[int, int], populations: list[Population]
) -> dict[str, NDArray[Any]]:
    """Cut `flat` into the arrays (timesteps, batch, *shape) of the populations it holds."""
    parts, first = {}, 0
    for p in populations:
        size = lead[0] * lead[1] * p.neurons
        parts[p.name] = flat[first : first + size].reshape(*lead, *p.shape)
        first += size
    return parts


def _split_counts(network: Network, counts: NDArray[np.int32]) -> dict[str, NDArray[np.int32]]:
    """Cut `counts` (batch, neurons) by population, less those that never spike."""
    found = {}
    first = 0
    for p in (*network.inputs, *network.topological_order):
        part = counts[:, first : first + p.neurons]
        first += p.neurons
        if p.kind == "integrator":
            continue
        if len(p.shape) == 3:
            channels, height, width = p.shape
            part = part.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
        found[p.name] = part
    return found
