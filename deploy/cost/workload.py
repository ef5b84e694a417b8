"""What a placed network had to do for real samples: counted, not yet priced."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...runtime import (
    Dense,
    Network,
    Program,
    Projection,
    Sparse,
    Trace,
)
from ...runtime.errors import EngineError
from ...runtime.op_counts import OpCounts, count_ops, count_ops_by_step
from ..passes.schedule import schedule
from ..placement.slice_fan_in import SliceFanIn, compute_slice_fan_in
from ..targets.target import Target
from .active_neurons import active_mask

OpKind = Literal["dense", "sparse", "conv"]
FloatArray = NDArray[np.float64]
MAX_EVENTS_PER_CHUNK = 4_000_000  # events looked at together


@dataclass(frozen=True)
class Workload:
    """What a network did for one inference, as a mean over samples.

    By population: `events` sent, `active` and `idle` neuron updates (reached by an event or not in
    that step), and `copies`, how many messages one event may take (1 but for graded values on a
    chip that sends fewer bits). By projection: `operations`, events times the synapses they meet.
    """

    network: Network
    timesteps: int
    samples: int
    connections: int
    events: Mapping[str, float]
    active: Mapping[str, float]
    idle: Mapping[str, float]
    messages_per_event: Mapping[str, int]
    synaptic_operations: Mapping[str, float]


@dataclass(frozen=True)
class Traffic:
    """What the placement of a network made of it, as a mean over samples.

    By source population: `messages`, one for each event and slice that it reaches, and the hops
    they take from tile to tile; those from outside take none. `crossings` are messages from chip to
    chip, which no list prices.
    """

    messages: Mapping[str, float]
    hops_x: Mapping[str, float]
    hops_y: Mapping[str, float]
    crossings: Mapping[str, float]


@dataclass(frozen=True)
class CoreLoads:
    """What each core did in each step, float64 (cores, timesteps + depth, samples).

    Steps are the chip's: a population of depth d does there at step n + d what the arithmetic does
    at step n. `operations` are by kind of connection and whether values are graded. `farthest` are
    the hops (x, y) of the longest way of a message.
    """

    timesteps: int
    neurons: NDArray[np.int64]
    active: FloatArray
    spikes: FloatArray
    sent: FloatArray
    received: FloatArray
    synaptic_operations: Mapping[tuple[OpKind, bool], FloatArray]
    longest_route: tuple[int, int]


def op_kind(projection: Projection) -> OpKind:
    """Return the kind of synaptic operation: pooling is a convolution with equal weights."""
    if isinstance(projection.connection, Dense):
        return "dense"
    return "sparse" if isinstance(projection.connection, Sparse) else "conv"


def count_workload(network: Network, trace: Trace, target: Target) -> Workload:
    """Count what `network` did in `trace`; raises `EngineError` where spikes were not recorded."""
    return _make_workloads(network, trace, target, [count_ops(network, trace)])[0]


def count_workload_by_step(network: Network, trace: Trace, target: Target) -> tuple[Workload, ...]:
    """Count the same of inferences that stop after 1, 2, ... timesteps."""
    return _make_workloads(network, trace, target, count_ops_by_step(network, trace))


def _make_workloads(
    network: Network, trace: Trace, target: Target, counts: Sequence[OpCounts]
) -> tuple[Workload, ...]:
    sent = _recorded_events(network, trace)
    active = {p.name: np.zeros(trace.timesteps, np.int64) for p in network.topological_order}
    runs = np.arange(trace.timesteps)[:, None] < trace.steps
    first = 0
    for some in _sample_chunks(sent):
        count = next(iter(some.values())).shape[1]
        for population in network.topological_order:
            found = (
                _count_set(active_mask(network, population, some)) * runs[:, first : first + count]
            )
            active[population.name] += found.sum(axis=1)
        first += count
    updated = np.cumsum(runs.mean(axis=1))
    after = {name: np.cumsum(each) / trace.batch for name, each in active.items()}
    bits = target.neuron.message_bits.value if target.neuron else 8
    copies = {p.name: -(-p.value_bits // max(bits, 1)) for p in network.populations}
    return tuple(
        Workload(
            network,
            timesteps=each.timesteps,
            samples=trace.batch,
            connections=each.synapses,
            events={name: float(sent.mean()) for name, sent in each.events.items()},
            active={name: float(n[each.timesteps - 1]) for name, n in after.items()},
            idle={
                name: network.population(name).neurons * float(updated[each.timesteps - 1])
                - float(n[each.timesteps - 1])
                for name, n in after.items()
            },
            messages_per_event=copies,
            synaptic_operations={
                name: float(met.mean()) for name, met in each.synaptic_operations.items()
            },
        )
        for each in counts
    )


def count_traffic(program: Program, trace: Trace, target: Target) -> tuple[Traffic, CoreLoads]:
    """Count messages and their ways, and what each core does in each step.

    Raises `EngineError` where spikes were not recorded.
    """
    traffic, loads = count_traffic_by_step(program, trace, target)
    return traffic[-1], loads


def count_traffic_by_step(
    program: Program, trace: Trace, target: Target
) -> tuple[tuple[Traffic, ...], CoreLoads]:
    """Count the same; the messages of inferences that stop after 1, 2, ... timesteps."""
    counter = _TrafficCounter(program, trace, target)
    first = 0
    for some in _sample_chunks(_recorded_events(program.network, trace)):
        count = next(iter(some.values())).shape[1]
        counter.add_samples(some, slice(first, first + count))
        first += count
    return counter.traffic(), counter.loads()


class _TrafficCounter:
    """Adds up what cores do, a portion of the samples at a time."""

    def __init__(self, program: Program, trace: Trace, target: Target) -> None:
        self.program, self.network = program, program.network
        self.depths = schedule(self.network).depths
        steps = trace.timesteps + max(self.depths.values())
        shape = (len(program.cores), steps, trace.batch)
        self.timesteps = trace.timesteps
        self.active, self.spikes, self.sent, self.received = (np.zeros(shape) for _ in range(4))
        self.operations: dict[tuple[OpKind, bool], FloatArray] = {}
        self.longest_route = (0, 0)
        names = [p.name for p in self.network.populations if p.kind != "integrator"]
        self.totals = {
            key: {name: np.zeros(trace.timesteps) for name in names}
            for key in ("messages", "hops_x", "hops_y", "crossings")
        }
        width = target.chip.width.value if target.chip else 1
        self.columns = np.array([core.chip * width + core.x for core in program.cores])
        self.rows = np.array([core.y for core in program.cores])
        self.chips = np.array([core.chip for core in program.cores])

    def loads(self) -> CoreLoads:
        neurons = [sum(part.neurons for part in core.slices) for core in self.program.cores]
        return CoreLoads(
            self.timesteps,
            np.array(neurons, np.int64),
            self.active,
            self.spikes,
            self.sent,
            self.received,
            self.operations,
            self.longest_route,
        )

    def traffic(self) -> tuple[Traffic, ...]:
        samples = self.active.shape[2]
        after = {
            key: {name: np.cumsum(each) / samples for name, each in ways.items()}
            for key, ways in self.totals.items()
        }
        return tuple(
            Traffic(
                **{
                    key: {name: float(each[step]) for name, each in ways.items()}
                    for key, ways in after.items()
                }
            )
            for step in range(self.timesteps)
        )

    def add_samples(self, sent: Mapping[str, NDArray[Any]], samples: slice) -> None:
        """Count what is sent in some `samples`, (timesteps, batch, *shape) by population."""
        for population in self.network.topological_order:
            active = active_mask(self.network, population, sent)
            at = self._chip_steps(population.name, 0)
            for core, part in self.program.slices(population.name):
                held = (slice(None), slice(None), *part.index)
                self.active[core, at, samples] += _count_set(active[held])
                if population.name in sent:
                    self.spikes[core, at, samples] += _count_set(sent[population.name][held] > 0)
        for projection in self.network.projections:
            self._add_projection(
                projection, (sent[projection.source] > 0).astype(np.float64), samples
            )

    def _chip_steps(self, name: str, delay: int) -> slice:
        return slice(self.depths[name] + delay, self.depths[name] + self.timesteps)

    def _add_projection(self, projection: Projection, events: FloatArray, samples: slice) -> None:
        network = self.network
        source, target = (network.population(n) for n in (projection.source, projection.target))
        key = op_kind(projection), source.value_bits > 1
        operations = self.operations.setdefault(key, np.zeros(self.active.shape))
        arrives = self._chip_steps(target.name, projection.delay)
        in_time = max(self.timesteps - projection.delay, 0)
        for core, part in self.program.slices(target.name):
            met = compute_slice_fan_in(projection.connection, source.shape, target.shape, part)
            operations[core, arrives, samples] += met.weighted_sum(events)[:in_time]
            there = SliceFanIn(tuple((axis > 0).astype(np.float64) for axis in met.axes))
            for origin, messages in self._messages_by_core(source.name, there, events):
                self.received[core, arrives, samples] += messages[:in_time]
                self._add_messages(source.name, origin, core, messages.sum(axis=1))
                if origin is not None:
                    self.sent[origin, self._chip_steps(source.name, 0), samples] += messages

    def _messages_by_core(
        self, source: str, there: SliceFanIn, events: FloatArray
    ) -> list[tuple[int | None, FloatArray]]:
        """Return the messages from each core with the source, or from outside, (steps, batch)."""
        if self.network.population(source).kind == "input":
            return [(None, there.weighted_sum(events))]
        found: list[tuple[int | None, FloatArray]] = []
        for core, part in self.program.slices(source):
            axes = (
                tuple(axis[at] for axis, at in zip(there.axes, part.index, strict=True))
                if len(there.axes) == len(part.index)
                else (there.axes[0][part.index],)
            )
            if all(axis.any() for axis in axes):
                found.append(
                    (
                        core,
                        SliceFanIn(axes).weighted_sum(
                            events[(slice(None), slice(None), *part.index)]
                        ),
                    )
                )
        return found

    def _add_messages(
        self, source: str, origin: int | None, core: int, messages: FloatArray
    ) -> None:
        self.totals["messages"][source] += messages
        if origin is None:
            return
        across = abs(int(self.columns[origin] - self.columns[core]))
        down = abs(int(self.rows[origin] - self.rows[core]))
        self.totals["hops_x"][source] += messages * across
        self.totals["hops_y"][source] += messages * down
        self.totals["crossings"][source] += messages * int(self.chips[origin] != self.chips[core])
        if messages.any() and across + down > sum(self.longest_route):
            self.longest_route = across, down


def _recorded_events(network: Network, trace: Trace) -> dict[str, NDArray[np.uint8]]:
    senders = [p.name for p in network.populations if p.kind != "integrator"]
    if not set(senders) <= set(trace.spikes):
        raise EngineError("costs need every spike: run with record='all'")
    return {name: trace.spikes[name] for name in senders}


def _sample_chunks(sent: Mapping[str, NDArray[np.uint8]]) -> list[dict[str, NDArray[np.uint8]]]:
    """Cut what is sent into portions of samples that are looked at together."""
    batch = next(iter(sent.values())).shape[1]
    largest = max(array.size // batch for array in sent.values())
    step = max(1, MAX_EVENTS_PER_CHUNK // largest)
    return [
        {name: array[:, first : first + step] for name, array in sent.items()}
        for first in range(0, batch, step)
    ]


def _count_set(flags: NDArray[np.bool_]) -> NDArray[np.int64]:
    found: NDArray[np.int64] = np.count_nonzero(flags.reshape(*flags.shape[:2], -1), axis=2)
    return found
