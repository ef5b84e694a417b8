"""Placement oracle: every synapse, list and route counted one by one."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pumice.deploy.passes.schedule import schedule
from pumice.deploy.placement.synaptic_memory import stored_weight_bits
from pumice.deploy.targets.target import Target
from pumice.runtime import Conv, Network, Program, Projection, Slice, Sparse, SumPool
from pumice.runtime.connections import as_depthwise_conv
from pumice.runtime.engines.reference import accumulate

Adjacency = NDArray[np.bool_]  # (targets, sources): True if there is a synapse


def adjacency(network: Network, projection: Projection) -> Adjacency:
    """Target neurons that each source neuron reaches, computed by one event from each."""
    source = network.population(projection.source)
    connection = projection.connection
    if isinstance(connection, Sparse):
        matrix = np.zeros(connection.shape, bool)
        matrix[connection.rows, connection.columns] = True
        return matrix
    if isinstance(connection, SumPool):
        connection = as_depthwise_conv(connection, source.shape[0])
    ones = replace(connection, weights=np.ones_like(connection.weights))
    each = np.eye(source.neurons, dtype=np.int64).reshape(source.neurons, *source.shape)
    return accumulate(ones, each).reshape(source.neurons, -1).T > 0


def neuron_indices(network: Network, part: Slice) -> NDArray[np.int64]:
    """Indices of the neurons of a slice in their population."""
    shape = network.population(part.population).shape
    return np.arange(np.prod(shape)).reshape(shape)[part.index].ravel()


def list_words(target: Target, synapses: int, bits: int) -> int:
    """Memory words of one list, split into pieces if the target splits it."""
    synapse = target.synapse
    assert synapse
    piece = synapse.list_synapses.value if synapse.list_synapses else max(synapses, 1)
    pieces = [min(piece, synapses - first) for first in range(0, synapses, piece)]
    return sum(-(-(n * bits + synapse.list_bits.value) // synapse.word_bits.value) for n in pieces)


def incoming_usage(
    network: Network, target: Target, projection: Projection, part: Slice
) -> Counter[str]:
    """Resources of the core with `part` that one incoming projection occupies."""
    assert target.synapse and target.neuron
    source, connection = network.population(projection.source), projection.connection
    synapses = adjacency(network, projection)[neuron_indices(network, part)]
    lag = schedule(network).lags[projection.name]
    bits = stored_weight_bits(connection) + (lag - 1).bit_length()
    copies = -(-source.value_bits // target.neuron.message_bits.value)
    convolution = target.synapse.convolution.value
    if not isinstance(connection, Conv | SumPool) or convolution == "neuron":
        sparse = isinstance(connection, Sparse | Conv | SumPool)
        index = target.synapse.sparse_index_bits if sparse else target.synapse.dense_index_bits
        lists = [list_words(target, int(n), bits + index.value) for n in synapses.sum(axis=0) if n]
        return Counter(synapse_words=copies * sum(lists), axons_in=copies * len(lists))
    if isinstance(connection, SumPool):
        connection = as_depthwise_conv(connection, source.shape[0])
    outputs, inputs, height, width = connection.weights.shape
    per_group = outputs // connection.groups
    channels = range(part.start[0], part.stop[0])
    lists = [
        list_words(target, sum(o // per_group == c // inputs for o in channels), bits)
        * height
        * width
        for c in range(source.shape[0])
    ]
    pixels = int(synapses.any(axis=0).reshape(source.shape).any(axis=0).sum())
    any_pixel = min(pixels, 1)
    axons = any_pixel if convolution == "projection" else pixels
    return Counter(synapse_words=copies * sum(lists) * any_pixel, axons_in=copies * axons)


def slice_usage(program: Program, target: Target, part: Slice) -> dict[str, int]:
    """Resources of a core that a slice occupies, except routes to kernels."""
    network = program.network
    assert target.synapse and target.core
    population = network.population(part.population)
    convolution = target.synapse.convolution.value
    out = [p for p in network.projections if p.source == population.name]
    kernels = [isinstance(p.connection, Conv | SumPool) and convolution != "neuron" for p in out]
    total: Counter[str] = Counter(neurons=part.neurons)
    sets = [
        np.broadcast_to(getattr(population, key), population.shape)[part.index].ravel()
        for key in ("current_decay", "voltage_decay", "threshold")
    ]
    total["groups"] = len(set(zip(*(each.tolist() for each in sets), strict=True)))
    total["axons_out"] = part.neurons // (part.shape[0] if out and all(kernels) else 1)
    for projection in network.incoming(population.name):
        total.update(incoming_usage(network, target, projection, part))
    for projection, shared in zip(out, kernels, strict=True):
        reached = adjacency(network, projection)[:, neuron_indices(network, part)]
        for _, target_part in program.slices(projection.target):
            senders = reached[neuron_indices(network, target_part)].any(axis=0)
            if shared:
                senders = senders.reshape(part.shape).any(axis=0)
            total["routes"] += int(senders.sum())
    return dict(total)


def synapse_multiplicity(program: Program) -> dict[str, NDArray[Any]]:
    """Number of cores that store each synapse of each projection, (targets, sources)."""
    network = program.network
    counts = {p.name: np.zeros(adjacency(network, p).shape, int) for p in network.projections}
    for _, part in program.slices():
        for projection in network.incoming(part.population):
            at = neuron_indices(network, part)
            counts[projection.name][at] += adjacency(network, projection)[at]
    return counts
