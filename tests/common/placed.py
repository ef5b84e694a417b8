"""A second opinion on a placement: every synapse, list and route counted one by one."""

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

Pairs = NDArray[np.bool_]  # (targets, sources): which neurons have a synapse


def pairs(network: Network, projection: Projection) -> Pairs:
    """Which target neurons each source neuron reaches, found by sending one event from each."""
    source = network.population(projection.source)
    connection = projection.connection
    if isinstance(connection, Sparse):
        listed = np.zeros(connection.shape, bool)
        listed[connection.rows, connection.columns] = True
        return listed
    if isinstance(connection, SumPool):
        connection = as_depthwise_conv(connection, source.shape[0])
    ones = replace(connection, weights=np.ones_like(connection.weights))
    each = np.eye(source.neurons, dtype=np.int64).reshape(source.neurons, *source.shape)
    return accumulate(ones, each).reshape(source.neurons, -1).T > 0


def held(network: Network, part: Slice) -> NDArray[np.int64]:
    """The neurons of a slice, as they are counted through their population."""
    shape = network.population(part.population).shape
    return np.arange(np.prod(shape)).reshape(shape)[part.index].ravel()


def words(target: Target, synapses: int, bits: int) -> int:
    """The words of one list, cut into pieces where the target cuts it."""
    synapse = target.synapse
    assert synapse
    piece = synapse.list_synapses.value if synapse.list_synapses else max(synapses, 1)
    pieces = [min(piece, synapses - first) for first in range(0, synapses, piece)]
    return sum(-(-(n * bits + synapse.list_bits.value) // synapse.word_bits.value) for n in pieces)


def inward(network: Network, target: Target, projection: Projection, part: Slice) -> Counter[str]:
    """What one projection takes of the core that has `part`."""
    assert target.synapse and target.neuron
    source, connection = network.population(projection.source), projection.connection
    met = pairs(network, projection)[held(network, part)]
    lag = schedule(network).lags[projection.name]
    bits = stored_weight_bits(connection) + (lag - 1).bit_length()
    copies = -(-source.value_bits // target.neuron.message_bits.value)
    way = target.synapse.convolution.value
    if not isinstance(connection, Conv | SumPool) or way == "neuron":
        listed = isinstance(connection, Sparse | Conv | SumPool)
        index = target.synapse.sparse_index_bits if listed else target.synapse.dense_index_bits
        lists = [words(target, int(n), bits + index.value) for n in met.sum(axis=0) if n]
        return Counter(synapse_words=copies * sum(lists), axons_in=copies * len(lists))
    if isinstance(connection, SumPool):
        connection = as_depthwise_conv(connection, source.shape[0])
    outputs, inputs, height, width = connection.weights.shape
    per_group = outputs // connection.groups
    channels = range(part.start[0], part.stop[0])
    lists = [
        words(target, sum(o // per_group == c // inputs for o in channels), bits) * height * width
        for c in range(source.shape[0])
    ]
    pixels = int(met.any(axis=0).reshape(source.shape).any(axis=0).sum())
    seen = min(pixels, 1)
    axons = seen if way == "projection" else pixels
    return Counter(synapse_words=copies * sum(lists) * seen, axons_in=copies * axons)


def usage(program: Program, target: Target, part: Slice) -> dict[str, int]:
    """What a slice takes of a core, but for routes to kernels."""
    network = program.network
    assert target.synapse and target.core
    population = network.population(part.population)
    way = target.synapse.convolution.value
    out = [p for p in network.projections if p.source == population.name]
    kernels = [isinstance(p.connection, Conv | SumPool) and way != "neuron" for p in out]
    total: Counter[str] = Counter(neurons=part.neurons)
    sets = [
        np.broadcast_to(getattr(population, key), population.shape)[part.index].ravel()
        for key in ("current_decay", "voltage_decay", "threshold")
    ]
    total["groups"] = len(set(zip(*(each.tolist() for each in sets), strict=True)))
    total["axons_out"] = part.neurons // (part.shape[0] if out and all(kernels) else 1)
    for projection in network.incoming(population.name):
        total.update(inward(network, target, projection, part))
    for projection, shares in zip(out, kernels, strict=True):
        reached = pairs(network, projection)[:, held(network, part)]
        for _, there in program.slices(projection.target):
            senders = reached[held(network, there)].any(axis=0)
            if shares:
                senders = senders.reshape(part.shape).any(axis=0)
            total["routes"] += int(senders.sum())
    return dict(total)


def synapses(program: Program) -> dict[str, NDArray[Any]]:
    """How often each synapse of each projection is on a core, (targets, sources)."""
    network = program.network
    found = {p.name: np.zeros(pairs(network, p).shape, int) for p in network.projections}
    for _, part in program.slices():
        for projection in network.incoming(part.population):
            at = held(network, part)
            found[projection.name][at] += pairs(network, projection)[at]
    return found
