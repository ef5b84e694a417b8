"""NeuroBench metrics, under NeuroBench's names, from operation counts instead of hooks.

Definitions: NeuroBench 2.3, https://github.com/NeuroBench/neurobench. An operation is an
accumulate where the source sends spikes and a multiply-accumulate where it sends graded values;
weights of zero are not effective; pooling, bias and padding take no part.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from .connections import Conv, Dense, Sparse
from .engines.reference import accumulate
from .network import Network
from .op_counts import fan_out
from .population import SPIKING
from .trace import Trace

NEURON_PARAMETERS = ("current_decay", "voltage_decay", "threshold", "bias")


def neurobench_metrics(network: Network, trace: Trace) -> dict[str, Any]:
    """Compute NeuroBench's static and workload metrics, means over samples.

    `Footprint` is in bytes: one per stored weight, four per stored neuron parameter.
    """
    weights = [
        projection.connection.weights
        for projection in network.projections
        if isinstance(projection.connection, Conv | Dense | Sparse)
    ]
    stored = sum(array.size for array in weights)
    neurons = [p for p in network.populations if p.kind != "input"]
    parameters = sum(getattr(p, key).size for p in neurons for key in NEURON_PARAMETERS)
    spiking = [p for p in neurons if p.kind in SPIKING]
    possible = trace.timesteps * trace.batch * sum(p.neurons for p in spiking)
    sent = sum(int(trace.counts[p.name].sum()) for p in spiking)
    return {
        "Footprint": stored + 4 * parameters,
        "ConnectionSparsity": sum(int((a == 0).sum()) for a in weights) / max(stored, 1),
        "ParameterCount": stored,
        "ActivationSparsity": 1 - sent / max(possible, 1),
        "SynapticOperations": _synaptic_operations(network, trace),
    }


def _synaptic_operations(network: Network, trace: Trace) -> dict[str, float]:
    operations = {"Effective_MACs": 0.0, "Effective_ACs": 0.0, "Dense": 0.0}
    for projection in network.projections:
        connection = projection.connection
        if isinstance(connection, Conv | Dense | Sparse):
            source = network.population(projection.source)
            nonzero = replace(connection, weights=connection.weights != 0)
            sent = trace.counts[source.name].sum(axis=0, keepdims=True, dtype=np.int64)
            kind = "Effective_ACs" if source.value_bits == 1 else "Effective_MACs"
            operations[kind] += int(accumulate(nonzero, sent).sum()) / trace.batch
            synapses = fan_out(connection, source.shape).sum(dtype=np.int64)
            operations["Dense"] += int(synapses) * trace.timesteps
    return operations
