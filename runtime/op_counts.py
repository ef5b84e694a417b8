"""Exact counts of events, synaptic operations and neuron updates, which cost models price."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .connections import Connection, Conv, Dense, Shape, Sparse, SumPool
from .errors import EngineError
from .network import Network
from .trace import Trace


@dataclass(frozen=True)
class OpCounts:
    """Events, synaptic operations and neuron updates of one run.

    Attributes:
        timesteps: Number of timesteps.
        samples: Number of samples.
        events: By population, int64 (samples,): messages sent, one for each spike or nonzero graded
            value.
        synaptic_operations: By projection, int64 (samples,): messages times the synapses they
            reach; counted when sent, so a delay that outlasts the run changes nothing.
        neuron_updates: By population: neurons times timesteps, the same for each sample; of inputs
            none. Where samples stop early it is the mean over them, rounded up.
        synapses: Synapses of the network: the multiply-accumulates of one pass through an ANN of
            the same shape.
    """

    timesteps: int
    samples: int
    events: Mapping[str, NDArray[np.int64]]
    synaptic_operations: Mapping[str, NDArray[np.int64]]
    neuron_updates: Mapping[str, int]
    synapses: int

    @property
    def total_events(self) -> NDArray[np.int64]:
        """Events of all populations, int64 (samples,)."""
        return _sum_over_parts(self.events, self.samples)

    @property
    def total_synaptic_operations(self) -> NDArray[np.int64]:
        """Synaptic operations of all projections, int64 (samples,)."""
        return _sum_over_parts(self.synaptic_operations, self.samples)

    @property
    def total_neuron_updates(self) -> int:
        """Neuron updates of all populations for one sample."""
        return sum(self.neuron_updates.values())


def count_ops(network: Network, trace: Trace) -> OpCounts:
    """Count the operations of a run; any `record` of the trace will do."""
    return _build_counts(network, trace.timesteps, trace.steps, trace.counts)


def count_ops_by_step(network: Network, trace: Trace) -> tuple[OpCounts, ...]:
    """Count the operations up to 1, 2, ... timesteps, as if the run had stopped there.

    Raises `EngineError` where `trace` was recorded with `record="output"`.
    """
    senders = [p.name for p in network.populations if p.kind != "integrator"]
    if not set(senders) <= set(trace.spikes):
        raise EngineError("counts by step need every spike: run with record='all'")
    events = {name: np.zeros(trace.counts[name].shape, np.int64) for name in senders}
    after = []
    for now in range(trace.timesteps):
        for name in senders:
            events[name] += trace.spikes[name][now] != 0
        after.append(_build_counts(network, now + 1, np.minimum(trace.steps, now + 1), events))
    return tuple(after)


def fan_out(connection: Connection, source: Shape) -> NDArray[np.int32]:
    """Count the outgoing synapses of each neuron of a source of shape `source`, int32 (*source).

    Dense and convolutional weights of zero are stored, hence counted; of a sparse connection only
    the listed ones. At a border, targets outside the map are not counted.
    """
    if isinstance(connection, Dense):
        return np.full(source, connection.weights.shape[0], np.int32)
    if isinstance(connection, Sparse):
        synapses = np.bincount(connection.columns, minlength=connection.shape[1])
        return synapses.astype(np.int32).reshape(source)
    channels = 1
    if isinstance(connection, Conv):
        channels = connection.weights.shape[0] // connection.groups
    rows, columns = (_windows_per_position(connection, source, axis) for axis in (0, 1))
    targets = channels * rows[:, None] * columns
    return np.broadcast_to(targets, source).astype(np.int32)


def _windows_per_position(
    connection: Conv | SumPool, source: Shape, axis: int
) -> NDArray[np.int64]:
    """Count the windows that contain each position along `axis`."""
    first = np.arange(connection.target_shape(source)[1 + axis]) * connection.stride[axis]
    taps = np.arange(connection.kernel[axis]) * connection.dilation[axis]
    positions = (first[:, None] + taps - connection.padding[axis]).ravel()
    size = source[1 + axis]
    return np.bincount(positions[(positions >= 0) & (positions < size)], minlength=size)


def _build_counts(
    network: Network,
    timesteps: int,
    steps: NDArray[np.int64],
    events: Mapping[str, NDArray[Any]],
) -> OpCounts:
    operations, synapses, samples = {}, 0, len(steps)
    for projection in network.projections:
        source = network.population(projection.source)
        targets = fan_out(projection.connection, source.shape).ravel().astype(np.int64)
        synapses += int(targets.sum())
        sent = events[source.name].reshape(samples, -1).astype(np.int64)
        operations[projection.name] = sent @ targets
    return OpCounts(
        timesteps,
        samples,
        {
            name: sent.reshape(samples, -1).sum(axis=1, dtype=np.int64)
            for name, sent in events.items()
        },
        operations,
        {
            p.name: -(-p.neurons * int(steps.sum()) // samples)
            for p in network.populations
            if p.kind != "input"
        },
        synapses,
    )


def _sum_over_parts(parts: Mapping[str, NDArray[np.int64]], samples: int) -> NDArray[np.int64]:
    return sum(parts.values(), np.zeros(samples, np.int64))
