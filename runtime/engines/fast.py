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

from ..errors import EngineError
from ..events import Events, checked_events
from ..network import Network
from ..population import Population
from ..trace import Record, Trace, silenced
from .crossover import crossover
from .kernels import advance
from .layout import laid_out
from .tables import Layout, Recording, Scratch, State, scratch_for, silence, tiles
from .threads import at_once

WORK, SHARE = 2**20, 100_000  # neurons times steps, and neurons a thread, that are worth one more
GONE = -(2**62)  # makes threads wait for each other no longer


class _Kept:
    """What is kept of a network while it lives: its layout, and room for runs, to be used again."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.free: list[tuple[Scratch, State]] = []

    @contextmanager
    def room(self) -> Iterator[tuple[Scratch, State]]:
        """Lend room for one thread and the states of one sample."""
        try:
            room = self.free.pop()
        except IndexError:
            room = scratch_for(self.layout), silence(self.layout, 1)
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
    return _trace(network, None, checked_events(network, events), record, threads)


def silent(network: Network, batch: int) -> State:
    """Return the states of `batch` samples before their first step; `resume` changes them."""
    return silence(layout_of(network), batch)


def resume(
    network: Network,
    states: State,
    events: Events,
    record: Record = "all",
    threads: int | None = None,
) -> Trace:
    """Go on from `states` with `events`, as `run` does; a stream may be cut anywhere.

    The trace covers these events alone. Raises `EngineError` where the events do not fit.
    """
    given = checked_events(network, events)
    batch = next(iter(given.values())).shape[1]
    if len(states.current) != batch:
        raise EngineError(f"events of {batch} samples, but states of {len(states.current)}")
    return _trace(network, states, given, record, threads)


def _trace(
    network: Network,
    states: State | None,
    given: dict[str, NDArray[np.uint8]],
    record: Record,
    threads: int | None,
) -> Trace:
    """Advance `states`, or silence, by checked events of each input; return what came of it."""
    kept = _kept_of(network)
    timesteps, batch = next(iter(given.values())).shape[:2]
    spiking = [
        p
        for p in network.order
        if p.kind == "cuba" and (record == "all" or p.name == network.output)
    ]
    integrators = [p for p in network.order if p.kind == "integrator"]
    recording = Recording(
        timesteps,
        batch,
        _joined(given),
        np.zeros(timesteps * batch * _size(spiking), np.uint8),
        _firsts(network, spiking),
        np.empty(timesteps * batch * _size(integrators), np.int32),
        _firsts(network, integrators),
        np.zeros((batch, kept.layout.sizes[1]), np.int32),
        np.full(batch, timesteps, np.int64),
    )
    _advance(kept, states, recording, threads or os.cpu_count() or 1)
    steps = recording.steps
    lead = (timesteps, batch)
    spikes = {}
    if record == "all":
        spikes = {name: silenced(array, steps) for name, array in given.items()}
    voltages = _cut(recording.voltages, lead, integrators)
    spikes |= _cut(recording.spikes, lead, spiking)
    return Trace(timesteps, batch, spikes, _counts(network, recording.counts), voltages, steps)


def _advance(kept: _Kept, states: State | None, recording: Recording, threads: int) -> None:
    """Advance all samples: threads take one after the other, or share each where they are few."""
    layout, batch = kept.layout, recording.batch
    shared = min(threads, layout.sizes[1] // SHARE)
    if batch < shared and layout.steps > 1 and layout.sizes[1] * recording.timesteps >= WORK:
        _share(kept, states, recording, shared)
        return
    (whole,) = tiles(1)

    def take(_: int) -> None:
        with kept.room() as (scratch, own):
            given = own if states is None else states
            advance(layout, given, recording, scratch, states is None, whole)

    at_once(take, min(threads, batch))


def _share(kept: _Kept, states: State | None, recording: Recording, threads: int) -> None:
    """Advance one sample after the other, each on all threads."""
    parts = tiles(threads)
    with ExitStack() as stack:
        rooms = [stack.enter_context(kept.room()) for _ in parts]
        given = rooms[0][1] if states is None else states

        def share(number: int) -> None:
            scratch, _ = rooms[number]
            advance(kept.layout, given, recording, scratch, states is None, parts[number])

        def give_up() -> None:
            parts[0].counter[0] = GONE

        at_once(share, threads, give_up)


_kept: dict[int, _Kept] = {}


def layout_of(network: Network) -> Layout:
    """Return the layout of `network`, made once and dropped with it."""
    return _kept_of(network).layout


def _kept_of(network: Network) -> _Kept:
    key = id(network)
    kept = _kept.get(key)
    if kept is None:
        made = _Kept(laid_out(network, crossover))
        kept = _kept.setdefault(key, made)
        if kept is made:  # and not what another thread has made meanwhile
            weakref.finalize(network, _kept.pop, key)
    return kept


def _joined(events: dict[str, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the events of all inputs as one flat read-only array; of one input, without a copy."""
    flat = [array.reshape(-1) for array in events.values()]
    joined = flat[0].view() if len(flat) == 1 else np.concatenate(flat)
    joined.flags.writeable = False
    return joined


def _size(populations: list[Population]) -> int:
    return sum(p.neurons for p in populations)


def _firsts(network: Network, recorded: list[Population]) -> NDArray[np.int64]:
    """Return for each running population where it starts among those `recorded`, else -1."""
    places, first = {}, 0
    for p in recorded:
        places[p.name] = first
        first += p.neurons
    return np.array([places.get(p.name, -1) for p in (*network.inputs, *network.order)], np.int64)


def _cut(
    flat: NDArray[Any], lead: tuple[int, int], populations: list[Population]
) -> dict[str, NDArray[Any]]:
    """Cut `flat` into the arrays (timesteps, batch, *shape) of the populations it holds."""
    parts, first = {}, 0
    for p in populations:
        size = lead[0] * lead[1] * p.neurons
        parts[p.name] = flat[first : first + size].reshape(*lead, *p.shape)
        first += size
    return parts


def _counts(network: Network, counts: NDArray[np.int32]) -> dict[str, NDArray[np.int32]]:
    """Cut `counts` (batch, neurons) by population, less those that never spike."""
    found = {}
    first = 0
    for p in (*network.inputs, *network.order):
        part = counts[:, first : first + p.neurons]
        first += p.neurons
        if p.kind == "integrator":
            continue
        if len(p.shape) == 3:
            channels, height, width = p.shape
            part = part.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
        found[p.name] = part
    return found
