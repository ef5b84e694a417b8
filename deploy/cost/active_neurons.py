"""Active neurons: those that an event reaches in a step, which do more than decay."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...runtime import Conv, Dense, Network, Population, Sparse
from ...runtime.connections import Connection, SumPool, conv_output_size

BoolArray = NDArray[np.bool_]


def active_mask(
    network: Network, population: Population, sent: Mapping[str, NDArray[Any]]
) -> BoolArray:
    """Mark the neurons of `population` that an event reaches.

    Args:
        network: The network.
        population: One of its populations.
        sent: By source population, the values it sends, (timesteps, batch, *shape); anything but 0
            is an event. An event that is delayed beyond the last step reaches nothing.

    Returns:
        bool (timesteps, batch, *population shape).
    """
    timesteps, batch = next(iter(sent.values())).shape[:2]
    mask = np.zeros((timesteps, batch, *population.shape), bool)
    for projection in network.incoming(population.name):
        if projection.delay >= timesteps:
            continue
        events = sent[projection.source][: timesteps - projection.delay] != 0
        reached = any_presynaptic_event(projection.connection, events)
        mask[projection.delay :] |= reached.reshape(*reached.shape[:2], *population.shape)
    return mask


def any_presynaptic_event(connection: Connection, events: BoolArray) -> BoolArray:
    """Mark the targets with a synapse from any source in `events`, bool (..., *target).

    A stored weight of 0 counts as a synapse: it is read.
    """
    steps = events.shape[:2]
    if isinstance(connection, Dense):
        any_event = events.reshape(*steps, -1).any(axis=-1, keepdims=True)
        return np.broadcast_to(any_event, (*steps, connection.weights.shape[0]))
    if isinstance(connection, Sparse):
        reached = np.zeros((connection.shape[0], steps[0] * steps[1]), bool)
        flat = events.reshape(len(reached[0]), -1).T
        np.logical_or.at(reached, connection.rows, flat[connection.columns])
        return reached.T.reshape(*steps, -1)
    return _any_event_in_windows(connection, events)


def _any_event_in_windows(connection: Conv | SumPool, events: BoolArray) -> BoolArray:
    """Mark the kernel windows that hold an event, for each output channel."""
    channels = events.shape[2]
    groups = connection.groups if isinstance(connection, Conv) else channels
    outputs = connection.weights.shape[0] // groups if isinstance(connection, Conv) else 1
    rows, columns = conv_output_size(connection, events.shape[2:])
    grouped = events.reshape(*events.shape[:2], groups, -1, *events.shape[3:]).any(axis=3)
    padding = [(size, size) for size in connection.padding]
    padded = np.pad(grouped, [(0, 0)] * 3 + padding)
    mask = np.zeros((*grouped.shape[:3], rows, columns), bool)
    stride, dilation = connection.stride, connection.dilation
    for row in range(connection.kernel[0]):
        for column in range(connection.kernel[1]):
            top, left = row * dilation[0], column * dilation[1]
            bottom = top + (rows - 1) * stride[0] + 1
            right = left + (columns - 1) * stride[1] + 1
            mask |= padded[..., top : bottom : stride[0], left : right : stride[1]]
    return np.repeat(mask, outputs, axis=2)
