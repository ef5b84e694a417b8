"""Run a network in the C core: the CPU engine, equal to the reference bit for bit.

The core is chosen by what the processor supports when it is first used. Samples of a batch run on
Python threads, which the core leaves unlocked; no Python runs between timesteps.
"""

import os
import warnings
import weakref
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import EngineError, MissingPackage
from ...events import Events, validate_events
from ...network import Network
from ...trace import Record, Trace
from .. import reference
from .compile import compile_network
from .costs import COSTS
from .library import NOT_BUILT, core
from .planes import Plane, list_planes
from .recording import RecordingPlan
from .tables import BLOCK, POPULATION, CoreTables
from .threads import parallel_for

WORK, SHARE = 2**20, 100_000  # neurons times steps, and neurons a thread, that are worth one more
GROUP = 32  # samples whose synapses are followed once for all
GROUP_LEAST, GROUP_BYTES = 8, 2**21  # samples that are worth it, and memory of one that is not
PROCESSORS = os.cpu_count() or 1  # asked once: it takes as long as a timestep
ABANDONED = -(2**62)  # a counter at which threads no longer wait for each other
VARIANTS: tuple[str, ...] = core.variants() if core else ()


@dataclass
class State:
    """State that samples carry from run to run, one row each.

    `current` int32 (batch, neurons), channels last; `voltage` likewise, followed by what is left of
    refractory periods; `past` uint8 (batch, bytes), the
    spikes that delays still need. For an early exit, `clock` int64 (batch, 2), steps run and
    whether the sample has stopped, and `score` int64 (batch, outputs), its logits.
    """

    current: NDArray[np.int32]
    voltage: NDArray[np.int32]
    past: NDArray[np.uint8]
    clock: NDArray[np.int64]
    score: NDArray[np.int64]


@dataclass
class Workspace:
    """Memory of one thread: of the core, the values of a round, and the state of one sample."""

    memory: NDArray[np.uint8]
    history: NDArray[np.uint8]
    state: State


class CompiledNetwork:
    """A network's tables, and workspaces that runs leave for the next."""

    def __init__(self, tables: CoreTables, planes: Sequence[Plane]) -> None:
        self.tables = tables
        self.planes = planes
        self.core = core.load(tables.arrays())
        self.size = core.workspace_size(self.core)
        self.neurons = tables["neurons"]
        self.steps = tables["steps"]
        self.outputs = planes[tables["output"]].population.neurons
        self.plans: dict[Record, RecordingPlan] = {}
        self.free: list[Workspace] = []
        self.free_groups: list[GroupWorkspace] = []
        each = self.size + tables["history"]
        grouped = bool(tables.column("by_target").any()) and not tables["thresholds"]
        self.groups = grouped and each <= GROUP_BYTES

    def initial_state(self, batch: int) -> State:
        """Return the states of `batch` samples before their first step."""
        current = np.zeros((batch, self.neurons), np.int32)
        voltage = np.zeros((batch, self.tables["states"]), np.int32)
        past = np.zeros((batch, self.tables["past"]), np.uint8)
        clock, score = (np.zeros((batch, size), np.int64) for size in (2, self.outputs))
        return State(current, voltage, past, clock, score)

    @contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """Lend the memory of one thread."""
        try:
            found = self.free.pop()
        except IndexError:
            memory = np.zeros(self.size + BLOCK, np.uint8)
            history = np.zeros(self.tables["history"] + BLOCK, np.uint8)
            found = Workspace(memory, history, self.initial_state(1))
        try:
            yield found
        finally:
            self.free.append(found)

    @contextmanager
    def group_workspace(self) -> Iterator["GroupWorkspace"]:
        """Lend the memory of one thread for a group of samples."""
        try:
            found = self.free_groups.pop()
        except IndexError:
            history = -(-(self.tables["history"] + BLOCK) // BLOCK) * BLOCK
            found = GroupWorkspace(
                np.zeros(GROUP * self.size + BLOCK, np.uint8),
                np.zeros(GROUP * history, np.uint8),
                np.zeros(core.group_size(self.core) + BLOCK, np.uint8),
                self.initial_state(GROUP),
            )
        try:
            yield found
        finally:
            self.free_groups.append(found)


@dataclass
class GroupWorkspace:
    """Memory of one thread that runs groups of samples; `lanes` holds a sum for each of them."""

    memory: NDArray[np.uint8]
    history: NDArray[np.uint8]
    lanes: NDArray[np.uint8]
    state: State


@dataclass
class Job:
    """One run: what goes into the core, and what it leaves."""

    compiled: CompiledNetwork
    states: State | None
    shape: tuple[int, int]
    recording: tuple[Any, ...]
    variant: str
    counter: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))

    def advance(self, own: Workspace, shared: Workspace, part: tuple[int, int]) -> None:
        """Advance samples, or of all samples a part, on one thread."""
        state = self.states or shared.state
        arrays = state.current, state.voltage, state.past, state.clock, state.score
        error = core.advance(
            self.compiled.core,
            self.variant,
            (*arrays, shared.history),
            own.memory,
            self.shape,
            self.recording,
            self.states is None,
            self.counter,
            part,
        )
        if error:
            raise EngineError("core: another thread of this run has failed")

    def advance_group(self, own: GroupWorkspace, limit: int) -> None:
        """Advance groups of up to `limit` samples on one thread."""
        state = self.states or own.state
        arrays = state.current, state.voltage, state.past, state.clock, state.score
        core.advance_group(
            self.compiled.core,
            self.variant,
            (*arrays, own.history),
            own.memory,
            own.lanes,
            self.shape,
            self.recording,
            self.states is None,
            self.counter,
            limit,
        )


def run(
    network: Network,
    events: Events,
    record: Record = "all",
    threads: int | None = None,
    variant: str | None = None,
) -> Trace:
    """Run `network` on `events`, uint8 (timesteps, batch, *input shape), from a silent state.

    At most `threads` samples run at once, by default as many as there are processors; `variant` is
    one of `VARIANTS`, by default the fastest. Results depend on neither. Raises `EngineError` where
    the events do not fit the inputs.
    """
    validated = validate_events(network, events)
    if core is None:
        warnings.warn(f"{NOT_BUILT}; the reference runs now, which is slow", stacklevel=2)
        return reference.run(network, validated, record)
    return _run(network, None, validated, record, threads, variant)


def initial_state(network: Network, batch: int) -> State:
    """Return the states of `batch` samples before their first step, for `run_from_state`."""
    return compiled_network(network).initial_state(batch)


def silence(network: Network, states: State, name: str) -> None:
    """Set the states of the neurons of population `name` to zero."""
    compiled = compiled_network(network)
    place = [plane.population.name for plane in compiled.planes].index(name)
    population = compiled.planes[place].population
    first, further = (
        int(compiled.tables.populations[place, POPULATION.index(key)])
        for key in ("first", "further")
    )
    states.current[:, first : first + population.neurons] = 0
    states.voltage[:, first : first + population.neurons] = 0
    count = population.neurons * max(len(population.states) - 2, 0)
    states.voltage[:, further : further + count] = 0


def run_from_state(
    network: Network,
    states: State,
    events: Events,
    record: Record = "all",
    threads: int | None = None,
    variant: str | None = None,
) -> Trace:
    """Continue from `states`, which it changes, with `events`; a stream may be cut anywhere.

    The trace covers these events alone. Raises `EngineError` where the events do not fit.
    """
    given = validate_events(network, events)
    batch = next(iter(given.values())).shape[1]
    if len(states.current) != batch:
        raise EngineError(f"events of {batch} samples, but states of {len(states.current)}")
    return _run(network, states, given, record, threads, variant)


def _run(
    network: Network,
    states: State | None,
    events: dict[str, NDArray[Any]],
    record: Record,
    threads: int | None,
    variant: str | None,
) -> Trace:
    compiled = compiled_network(network)
    plan = compiled.plans.get(record)
    if plan is None:
        plan = compiled.plans[record] = RecordingPlan(network, compiled.planes, record)
    timesteps, batch = lead = next(iter(events.values())).shape[:2]
    recording = plan.allocate(events, (timesteps, batch))
    job = Job(compiled, states, lead, tuple(vars(recording).values()), variant or VARIANTS[0])
    _advance(job, threads or PROCESSORS)
    return plan.to_trace(recording, events, (timesteps, batch))


def _advance(job: Job, threads: int) -> None:
    """Advance all samples: threads take one after the other, or share each if there are few."""
    compiled, (timesteps, batch) = job.compiled, job.shape
    sharing = min(threads, compiled.neurons // SHARE)
    if batch < sharing and compiled.steps > 1 and compiled.neurons * timesteps >= WORK:
        _share(job, sharing)
        return

    groups = -(-batch // GROUP) if threads == 1 else max(threads, -(-batch // GROUP))
    limit = -(-batch // groups)

    def take(_: int) -> None:
        with compiled.workspace() as own:
            job.advance(own, own, (0, 1))

    def take_group(_: int) -> None:
        with compiled.group_workspace() as own:
            job.advance_group(own, limit)

    if compiled.groups and limit >= GROUP_LEAST:
        parallel_for(take_group, min(threads, groups))
    else:
        parallel_for(take, min(threads, batch))


def _share(job: Job, threads: int) -> None:
    """Advance one sample after the other, each on all threads."""
    with ExitStack() as stack:
        spaces = [stack.enter_context(job.compiled.workspace()) for _ in range(threads)]

        def share(number: int) -> None:
            job.advance(spaces[number], spaces[0], (number, threads))

        def give_up() -> None:
            job.counter[0] = ABANDONED

        parallel_for(share, threads, give_up)


_compiled: dict[int, CompiledNetwork] = {}


def compiled_network(network: Network) -> CompiledNetwork:
    """Return the tables of `network`, compiled once and dropped with it."""
    if core is None:
        raise MissingPackage(NOT_BUILT)
    key = id(network)
    found = _compiled.get(key)
    if found is None:
        tables = compile_network(network, COSTS[VARIANTS[0]])
        made = CompiledNetwork(tables, list_planes(network))
        found = _compiled.setdefault(key, made)
        if found is made:  # and not what another thread has made meanwhile
            weakref.finalize(network, _compiled.pop, key)
    return found
