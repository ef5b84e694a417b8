"""Workload: events, neuron updates and synaptic operations of a network on recorded samples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...runtime import Dense, Network, Projection, Sparse, Trace
from ...runtime.errors import EngineError
from ...runtime.op_counts import OpCounts, count_ops, count_ops_by_step
from ..targets.target import Target
from .active_neurons import active_mask

OpKind = Literal["dense", "sparse", "conv"]
SentValues = dict[str, NDArray[np.uint8]]  # by population (timesteps, batch, *shape)
MAX_EVENTS_PER_CHUNK = 4_000_000  # events that are processed together


@dataclass(frozen=True)
class Workload:
    """Operations of one inference, as a mean over samples.

    Attributes:
        network: The network.
        timesteps: Number of timesteps.
        samples: Number of samples.
        synapses: Number of synapses of the network.
        events: By population, the number of events sent.
        active: By population, neuron updates in steps in which an event reaches the neuron.
        idle: By population, neuron updates in other steps.
        messages_per_event: By population, the maximum number of messages of one event (1 except for
            graded values on a chip that sends fewer bits).
        synaptic_operations: By projection, events times the synapses that they reach.
    """

    network: Network
    timesteps: int
    samples: int
    synapses: int
    events: Mapping[str, float]
    active: Mapping[str, float]
    idle: Mapping[str, float]
    messages_per_event: Mapping[str, int]
    synaptic_operations: Mapping[str, float]


def op_kind(projection: Projection) -> OpKind:
    """Kind of a projection's synaptic operations: pooling is a convolution of equal weights."""
    if isinstance(projection.connection, Dense):
        return "dense"
    return "sparse" if isinstance(projection.connection, Sparse) else "conv"


def count_workload(network: Network, trace: Trace, target: Target) -> Workload:
    """Count the workload of `network` in `trace`.

    Raises:
        EngineError: The trace lacks spikes.
    """
    return _make_workloads(network, trace, target, [count_ops(network, trace)])[0]


def count_workload_by_step(network: Network, trace: Trace, target: Target) -> tuple[Workload, ...]:
    """Count the workload of inferences that stop after 1, 2, ... timesteps."""
    return _make_workloads(network, trace, target, count_ops_by_step(network, trace))


def _make_workloads(
    network: Network, trace: Trace, target: Target, counts: Sequence[OpCounts]
) -> tuple[Workload, ...]:
    is_running = np.arange(trace.timesteps)[:, None] < trace.steps
    active = {p.name: np.zeros(trace.timesteps, np.int64) for p in network.topological_order}
    for samples, sent in sample_chunks(recorded_events(network, trace)):
        for population in network.topological_order:
            updates = count_set(active_mask(network, population, sent)) * is_running[:, samples]
            active[population.name] += updates.sum(axis=1)
    steps_run = np.cumsum(is_running.mean(axis=1))
    total_active = {name: np.cumsum(each) / trace.batch for name, each in active.items()}
    bits = target.neuron.message_bits.value if target.neuron else 8
    messages_per_event = {p.name: -(-p.value_bits // max(bits, 1)) for p in network.populations}
    return tuple(
        Workload(
            network,
            timesteps=each.timesteps,
            samples=trace.batch,
            synapses=each.synapses,
            events={name: float(sent.mean()) for name, sent in each.events.items()},
            active={name: float(n[each.timesteps - 1]) for name, n in total_active.items()},
            idle={
                name: network.population(name).neurons * float(steps_run[each.timesteps - 1])
                - float(n[each.timesteps - 1])
                for name, n in total_active.items()
            },
            messages_per_event=messages_per_event,
            synaptic_operations={
                name: float(operations.mean())
                for name, operations in each.synaptic_operations.items()
            },
        )
        for each in counts
    )


def recorded_events(network: Network, trace: Trace) -> SentValues:
    """Values that every population sends, uint8 (timesteps, batch, *shape) by population.

    Raises:
        EngineError: The trace lacks some.
    """
    senders = [p.name for p in network.populations if p.kind != "integrator"]
    if not set(senders) <= set(trace.spikes):
        raise EngineError("cost estimation needs every spike; run with record='all'")
    return {name: trace.spikes[name] for name in senders}


def sample_chunks(sent: SentValues) -> Iterator[tuple[slice, SentValues]]:
    """Divide the samples into chunks that are processed together, each after its sample range."""
    batch = next(iter(sent.values())).shape[1]
    max_size = max(array.size // batch for array in sent.values())
    step = max(1, MAX_EVENTS_PER_CHUNK // max_size)
    for first in range(0, batch, step):
        samples = slice(first, min(first + step, batch))
        yield samples, {name: array[:, samples] for name, array in sent.items()}


def count_set(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the set neurons of a mask (timesteps, batch, *shape) by step and sample."""
    counts: NDArray[np.int64] = np.count_nonzero(mask.reshape(*mask.shape[:2], -1), axis=2)
    return counts
