"""Traffic: messages between cores, and the load of each core in each step of the chip."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...runtime import Program, Projection, Trace
from ..passes.schedule import schedule
from ..placement.slice_fan_in import SliceFanIn, compute_slice_fan_in
from ..targets.target import Target
from .active_neurons import active_mask
from .workload import OpKind, SentValues, count_set, op_kind, recorded_events, sample_chunks

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Traffic:
    """Messages of one inference by source population, as a mean over samples.

    Attributes:
        messages: Messages, one for each event and slice that it reaches.
        hops_x: Hops from tile to tile along x; messages from outside the chip take none.
        hops_y: Hops along y.
        crossings: Messages from chip to chip, which no list prices.
    """

    messages: Mapping[str, float]
    hops_x: Mapping[str, float]
    hops_y: Mapping[str, float]
    crossings: Mapping[str, float]


@dataclass(frozen=True)
class CoreLoads:
    """Load of each core in each step of the chip, float64 (cores, timesteps + depth, samples).

    A population of depth d does in chip step n + d what the arithmetic does in step n.

    Attributes:
        timesteps: Number of timesteps of a sample.
        neurons: Number of neurons on each core, int64 (cores,).
        active: Updates of neurons that an event reaches.
        spikes: Spikes generated.
        sent: Messages sent.
        received: Messages received.
        synaptic_operations: By kind of connection and whether values are graded.
        longest_route: Hops (x, y) of the longest route of a message.
    """

    timesteps: int
    neurons: NDArray[np.int64]
    active: FloatArray
    spikes: FloatArray
    sent: FloatArray
    received: FloatArray
    synaptic_operations: Mapping[tuple[OpKind, bool], FloatArray]
    longest_route: tuple[int, int]


def count_traffic(program: Program, trace: Trace, target: Target) -> tuple[Traffic, CoreLoads]:
    """Count the messages of `program` in `trace` and the loads of its cores.

    Raises:
        EngineError: The trace lacks spikes.
    """
    traffic, loads = count_traffic_by_step(program, trace, target)
    return traffic[-1], loads


def count_traffic_by_step(
    program: Program, trace: Trace, target: Target
) -> tuple[tuple[Traffic, ...], CoreLoads]:
    """Count the messages of inferences that stop after 1, 2, ... timesteps, and the loads."""
    counter = _TrafficCounter(program, trace, target)
    for samples, sent in sample_chunks(recorded_events(program.network, trace)):
        counter.add_samples(sent, samples)
    return counter.traffic(), counter.loads()


class _TrafficCounter:
    """Accumulates messages and loads over chunks of samples."""

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
        """Loads of the samples added so far."""
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
        """Traffic after 1, 2, ... timesteps."""
        samples = self.active.shape[2]
        means = {
            key: {name: np.cumsum(each) / samples for name, each in by_population.items()}
            for key, by_population in self.totals.items()
        }
        return tuple(
            Traffic(
                **{
                    key: {name: float(each[step]) for name, each in by_population.items()}
                    for key, by_population in means.items()
                }
            )
            for step in range(self.timesteps)
        )

    def add_samples(self, sent: SentValues, samples: slice) -> None:
        """Add what is sent in `samples`, (timesteps, batch, *shape) by population."""
        for population in self.network.topological_order:
            active = active_mask(self.network, population, sent)
            steps = self._chip_steps(population.name, 0)
            for core, part in self.program.slices(population.name):
                index = (slice(None), slice(None), *part.index)
                self.active[core, steps, samples] += count_set(active[index])
                if population.name in sent:
                    sending = sent[population.name][index] != 0
                    self.spikes[core, steps, samples] += count_set(sending)
        for projection in self.network.projections:
            events = (sent[projection.source] != 0).astype(np.float64)
            self._add_projection(projection, events, samples)

    def _chip_steps(self, name: str, delay: int) -> slice:
        return slice(self.depths[name] + delay, self.depths[name] + self.timesteps)

    def _add_projection(self, projection: Projection, events: FloatArray, samples: slice) -> None:
        network = self.network
        source, target = (network.population(n) for n in (projection.source, projection.target))
        key = op_kind(projection), source.value_bits > 1
        operations = self.operations.setdefault(key, np.zeros(self.active.shape))
        arrival = self._chip_steps(target.name, projection.delay)
        in_time = max(self.timesteps - projection.delay, 0)
        for core, part in self.program.slices(target.name):
            fan_in = compute_slice_fan_in(projection.connection, source.shape, target.shape, part)
            operations[core, arrival, samples] += fan_in.weighted_sum(events)[:in_time]
            reaches = SliceFanIn(tuple((axis > 0).astype(np.float64) for axis in fan_in.axes))
            for origin, messages in self._messages_by_core(source.name, reaches, events):
                self.received[core, arrival, samples] += messages[:in_time]
                self._add_messages(source.name, origin, core, messages.sum(axis=1))
                if origin is not None:
                    self.sent[origin, self._chip_steps(source.name, 0), samples] += messages

    def _messages_by_core(
        self, source: str, reaches: SliceFanIn, events: FloatArray
    ) -> list[tuple[int | None, FloatArray]]:
        """Messages to a slice from each core of the source, or from outside, (steps, batch)."""
        if self.network.population(source).kind == "input":
            return [(None, reaches.weighted_sum(events))]
        messages: list[tuple[int | None, FloatArray]] = []
        for core, part in self.program.slices(source):
            separable = len(reaches.axes) == len(part.index)
            axes = (
                tuple(axis[at] for axis, at in zip(reaches.axes, part.index, strict=True))
                if separable
                else (reaches.axes[0][part.index],)
            )
            if all(axis.any() for axis in axes):
                of_slice = events[(slice(None), slice(None), *part.index)]
                messages.append((core, SliceFanIn(axes).weighted_sum(of_slice)))
        return messages

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
