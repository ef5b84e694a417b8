"""CPU engine: event-driven and dense loops compiled by numba, bit for bit equal to the reference.

The first run after installation compiles the loops, which takes half a minute; numba caches them on
disk. The samples of a batch run on Python threads, since the loops release the GIL.
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

MIN_WORK = 2**20  # neurons times steps from which on a sample is worth several threads
MIN_NEURONS_PER_THREAD = 100_000
ABORTED = -(2**62)  # value of the barrier's counter that releases the threads that wait at it


class _CacheEntry:
    """A compiled network and its workspaces, cached while the network is alive."""

    def __init__(self, compiled: CompiledNetwork) -> None:
        self.compiled = compiled
        self.idle: list[tuple[Workspace, State]] = []

    @contextmanager
    def workspace(self) -> Iterator[tuple[Workspace, State]]:
        """Lend the workspace of one thread and the state of one sample."""
        try:
            pair = self.idle.pop()
        except IndexError:
            pair = allocate_workspace(self.compiled), zero_state(self.compiled, 1)
        try:
            yield pair
        finally:
            self.idle.append(pair)


def run(
    network: Network, events: Events, record: Record = "all", threads: int | None = None
) -> Trace:
    """Run `network` on `events` from zero state.

    Args:
        network: Network to run.
        events: uint8 (timesteps, batch, *input shape), or a mapping by input population.
        record: "output", "all" or "states", see `Trace`. "states" computes one timestep at a time,
            which is slower.
        threads: Largest number of threads, by default the number of processors; results never
            depend on it.

    Raises:
        EngineError: The events do not fit the inputs.
    """
    return _run_checked(network, None, validate_events(network, events), record, threads)


def initial_state(network: Network, batch: int) -> State:
    """Allocate the zero state of `batch` samples, which `run_from_state` updates in place."""
    return zero_state(compiled_network(network), batch)


def run_from_state(
    network: Network,
    states: State,
    events: Events,
    record: Record = "all",
    threads: int | None = None,
) -> Trace:
    """Continue from `states`, updated in place, as `run` does; a stream may be cut anywhere.

    The trace covers these events alone. Raises `EngineError` where the events do not fit.
    """
    validated = validate_events(network, events)
    batch = next(iter(validated.values())).shape[1]
    if len(states.current) != batch:
        raise EngineError(f"events of {batch} samples, but states of {len(states.current)}")
    return _run_checked(network, states, validated, record, threads)


def _run_checked(
    network: Network,
    states: State | None,
    events: dict[str, NDArray[np.uint8]],
    record: Record,
    threads: int | None,
) -> Trace:
    """Run on validated events, from `states` or from zero state."""
    entry = _cache_entry(network)
    if record == "states":
        return _run_recording_states(network, entry, states, events, threads)
    return _run_entry(network, entry, states, events, record, threads)


def _run_entry(
    network: Network,
    entry: _CacheEntry,
    states: State | None,
    events: dict[str, NDArray[np.uint8]],
    record: Record,
    threads: int | None,
) -> Trace:
    timesteps, batch = next(iter(events.values())).shape[:2]
    spiking = [
        p
        for p in network.topological_order
        if p.kind == "cuba" and (record == "all" or p.name == network.output)
    ]
    integrators = [p for p in network.topological_order if p.kind == "integrator"]
    recording = Recording(
        timesteps,
        batch,
        _concatenate(events),
        np.zeros(timesteps * batch * _count_neurons(spiking), np.uint8),
        _offsets(network, spiking),
        np.empty(timesteps * batch * _count_neurons(integrators), np.int32),
        _offsets(network, integrators),
        np.zeros((batch, entry.compiled.sizes[1]), np.int32),
        np.full(batch, timesteps, np.int64),
    )
    _run_batch(entry, states, recording, threads or os.cpu_count() or 1)
    steps = recording.steps
    lead = (timesteps, batch)
    spikes = {}
    if record == "all":
        spikes = {name: zero_after_exit(array, steps) for name, array in events.items()}
    voltages = _split(recording.voltages, lead, integrators)
    spikes |= _split(recording.spikes, lead, spiking)
    counts = _split_neurons(network, recording.counts)
    for p in integrators:
        del counts[p.name]
    return Trace(timesteps, batch, spikes, counts, voltages, steps, network=network)


def _run_recording_states(
    network: Network,
    entry: _CacheEntry,
    states: State | None,
    events: dict[str, NDArray[np.uint8]],
    threads: int | None,
) -> Trace:
    """Run one timestep at a time and copy currents and voltages after each.

    The loops store no current that is lost within the step: here they are made to.
    """
    populations = entry.compiled.populations.copy()
    populations["plain"] = populations["forgets"] = 0
    storing = _CacheEntry(entry.compiled._replace(populations=populations))
    timesteps, batch = next(iter(events.values())).shape[:2]
    states = zero_state(storing.compiled, batch) if states is None else states
    steps, parts = np.zeros(batch, np.int64), []
    recorded: list[tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]] = []
    for t in range(timesteps):
        now = {name: array[t : t + 1] for name, array in events.items()}
        parts.append(_run_entry(network, storing, states, now, "all", threads))
        steps += parts[-1].steps
        recorded.append(
            (
                _split_neurons(network, states.current.copy()),
                _split_neurons(network, states.voltage.copy()),
            )
        )
    names = [p.name for p in network.topological_order]
    currents, voltages = (
        {name: np.stack([step[k][name] for step in recorded]) for name in names} for k in (0, 1)
    )
    return Trace(
        timesteps,
        batch,
        {name: np.concatenate([part.spikes[name] for part in parts]) for name in parts[0].spikes},
        {
            name: np.sum([part.counts[name] for part in parts], axis=0, dtype=np.int32)
            for name in parts[0].counts
        },
        voltages,
        steps,
        currents,
        network,
    )


def _run_batch(
    entry: _CacheEntry, states: State | None, recording: Recording, threads: int
) -> None:
    """Run all samples: each on one thread, or on all of them where samples are few."""
    compiled, batch = entry.compiled, recording.batch
    sharing = min(threads, compiled.sizes[1] // MIN_NEURONS_PER_THREAD)
    work = compiled.sizes[1] * recording.timesteps
    if batch < sharing and compiled.steps > 1 and work >= MIN_WORK:
        _run_intra_sample(entry, states, recording, sharing)
        return
    (everything,) = partitions(1)

    def take(_: int) -> None:
        with entry.workspace() as (scratch, own):
            start = own if states is None else states
            run_samples(compiled, start, recording, scratch, states is None, everything)

    parallel_for(take, min(threads, batch))


def _run_intra_sample(
    entry: _CacheEntry, states: State | None, recording: Recording, threads: int
) -> None:
    """Run one sample after the other, each on all threads."""
    parts = partitions(threads)
    with ExitStack() as stack:
        workspaces = [stack.enter_context(entry.workspace()) for _ in parts]
        start = workspaces[0][1] if states is None else states

        def run_part(number: int) -> None:
            scratch, _ = workspaces[number]
            run_samples(entry.compiled, start, recording, scratch, states is None, parts[number])

        def abort() -> None:
            parts[0].counter[0] = ABORTED

        parallel_for(run_part, threads, abort)


_cache: dict[int, _CacheEntry] = {}


def compiled_network(network: Network) -> CompiledNetwork:
    """Compile `network` for the loops, once; the result is dropped with it."""
    return _cache_entry(network).compiled


def _cache_entry(network: Network) -> _CacheEntry:
    key = id(network)
    entry = _cache.get(key)
    if entry is None:
        new = _CacheEntry(compile_network(network, dense_threshold))
        entry = _cache.setdefault(key, new)
        if entry is new:  # and not that of another thread, made meanwhile
            weakref.finalize(network, _cache.pop, key)
    return entry


def _concatenate(events: dict[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Concatenate the events of all inputs, flat and read-only; of one input without a copy."""
    flat = [array.reshape(-1) for array in events.values()]
    combined = flat[0].view() if len(flat) == 1 else np.concatenate(flat)
    combined.flags.writeable = False
    return combined


def _count_neurons(populations: list[Population]) -> int:
    return sum(p.neurons for p in populations)


def _offsets(network: Network, recorded: list[Population]) -> NDArray[np.int64]:
    """Compute where each population of the compiled network starts in a recording, else -1."""
    offsets, first = {}, 0
    for p in recorded:
        offsets[p.name] = first
        first += p.neurons
    order = (*network.inputs, *network.topological_order)
    return np.array([offsets.get(p.name, -1) for p in order], np.int64)


def _split(
    flat: NDArray[Any], lead: tuple[int, int], populations: list[Population]
) -> dict[str, NDArray[Any]]:
    """Split `flat` into the arrays (timesteps, batch, *shape) of the recorded populations."""
    parts, first = {}, 0
    for p in populations:
        size = lead[0] * lead[1] * p.neurons
        parts[p.name] = flat[first : first + size].reshape(*lead, *p.shape)
        first += size
    return parts


def _split_neurons(network: Network, values: NDArray[np.int32]) -> dict[str, NDArray[np.int32]]:
    """Split `values` (batch, neurons) by population, (batch, *shape)."""
    parts = {}
    first = 0
    for p in (*network.inputs, *network.topological_order):
        part = values[:, first : first + p.neurons]
        first += p.neurons
        if len(p.shape) == 3:
            channels, height, width = p.shape
            part = part.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
        parts[p.name] = part
    return parts
