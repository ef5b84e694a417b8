"""Reference engine: plain numpy, slow; every other engine is tested equal to it, bit for bit."""

import numpy as np
from numpy.typing import NDArray

from ..arithmetic import States, Values, neuron_step, shift
from ..connections import Connection, Conv, Dense, SumPool, as_depthwise_conv
from ..events import Events, validate_events
from ..network import Network
from ..population import Population
from ..trace import Record, Trace, apply_early_exit, select_recorded


def run(network: Network, events: Events, record: Record = "all") -> Trace:
    """Run `network` on `events` from zero state.

    Args:
        network: Network to run.
        events: Integers (timesteps, batch, *input shape), or a mapping by input population.
        record: "output", "all" or "states", see `Trace`.

    Raises:
        EngineError: The events do not fit the inputs.
    """
    spikes = validate_events(network, events)
    timesteps, batch = next(iter(spikes.values())).shape[:2]
    voltages: dict[str, NDArray[np.int32]] = {}
    currents: dict[str, NDArray[np.int32]] = {}
    states: dict[str, tuple[States, ...]] = {}
    for population in network.topological_order:
        shape = (timesteps, batch, *population.shape)
        states[population.name] = tuple(np.zeros(shape[1:], np.int64) for _ in population.states)
        if record == "states":
            currents[population.name] = np.zeros(shape, np.int32)
        if record == "states" or population.kind == "integrator":
            voltages[population.name] = np.zeros(shape, np.int32)
        if population.kind != "integrator":
            spikes[population.name] = np.zeros(shape, population.value_type)
    for now in range(timesteps):
        for population in network.topological_order:
            activation = _activation(network, population, spikes, now)
            after, sent = neuron_step(population, states[population.name], activation)
            states[population.name] = after
            if population.name in currents:
                currents[population.name][now] = after[0]
            if population.name in voltages:
                voltages[population.name][now] = after[1]
            if population.name in spikes:
                spikes[population.name][now] = sent
    counts = {name: (array != 0).sum(axis=0, dtype=np.int32) for name, array in spikes.items()}
    full = Trace(timesteps, batch, spikes, counts, voltages, currents=currents, network=network)
    return select_recorded(network, apply_early_exit(network, full), record)


def _activation(
    network: Network, population: Population, spikes: dict[str, Values], now: int
) -> States:
    """Sum the weighted inputs of a population at timestep `now`, int64 (batch, *shape).

    Of resonate-and-fire neurons the real and the imaginary ones, int64 (2, batch, *shape).
    """
    batch = next(iter(spikes.values())).shape[1]
    totals = {
        each: np.zeros((batch, *population.shape), np.int64) for each in population.components
    }
    for projection in network.incoming(population.name):
        total = totals[projection.component]
        if now >= projection.delay:
            values = spikes[projection.source][now - projection.delay].astype(np.int64)
            sums = accumulate(projection.connection, values)
            total += shift(sums, projection.weight_exponent).reshape(total.shape)
    return np.stack(list(totals.values())) if len(totals) > 1 else totals["real"]


def accumulate(connection: Connection, values: States) -> States:
    """Compute the weighted sums of `values` (batch, *source), int64 (batch, *target)."""
    if isinstance(connection, SumPool):
        connection = as_depthwise_conv(connection, values.shape[1])
    if isinstance(connection, Conv):
        return _convolve(connection, values)
    flat = values.reshape(len(values), -1)
    if isinstance(connection, Dense):
        dense: States = flat @ connection.weights.astype(np.int64).T
        return dense
    sums = np.zeros((connection.shape[0], len(values)), np.int64)
    np.add.at(sums, connection.rows, flat.T[connection.columns] * connection.weights[:, None])
    return sums.T


def _convolve(conv: Conv, values: States) -> States:
    """Convolve by adding up, for each kernel position, a strided view of the padded input."""
    channels, rows, columns = conv.target_shape(values.shape[1:])
    (top, left), (down, right) = conv.padding, conv.stride
    padded = np.pad(values, ((0, 0), (0, 0), (top, top), (left, left)))
    padded = padded.reshape(len(values), conv.groups, -1, *padded.shape[2:])
    weights = conv.weights.astype(np.int64).reshape(conv.groups, -1, *conv.weights.shape[1:])
    sums = np.zeros((len(values), conv.groups, channels // conv.groups, rows, columns), np.int64)
    for j, k in np.ndindex(conv.kernel):
        y, x = j * conv.dilation[0], k * conv.dilation[1]
        window = padded[
            ..., y : y + (rows - 1) * down + 1 : down, x : x + (columns - 1) * right + 1 : right
        ]
        sums += np.einsum("goi,bgiyx->bgoyx", weights[..., j, k], window)
    return sums.reshape(len(values), channels, rows, columns)
