"""Store dense connections that are mostly zero, as of pruned layers, as lists of synapses."""

from dataclasses import replace

import numpy as np

from ...runtime.connections import Connection, Dense, Sparse
from ...runtime.network import Network

MAX_DENSITY = 0.25  # above it a matrix takes less memory than a list


def sparsify(network: Network) -> Network:
    """Replace each `Dense` connection of low density by a `Sparse` one; no spike changes."""
    projections = tuple(
        replace(projection, connection=_to_sparse(projection.connection))
        for projection in network.projections
    )
    return replace(network, projections=projections)


def _to_sparse(connection: Connection) -> Connection:
    if not isinstance(connection, Dense):
        return connection
    rows, columns = np.nonzero(connection.weights)
    if len(rows) > MAX_DENSITY * connection.weights.size:
        return connection
    targets, sources = connection.weights.shape
    return Sparse(connection.weights[rows, columns], rows, columns, (targets, sources))
