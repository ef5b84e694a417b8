"""Dense connections that are mostly zeros, as lists of the synapses there are."""

from dataclasses import replace

import numpy as np

from ...runtime.connections import Connection, Dense, Sparse
from ...runtime.network import Network

MAX_DENSITY = 0.25  # of all pairs; with more of them a matrix takes less room than a list


def sparsify(network: Network) -> Network:
    """Return `network` with a `Sparse` for each `Dense` of few synapses; spikes stay the same."""
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
