"""Force the dense path of the CPU engine, where a test must not leave the choice to it."""

from pumice.runtime import Network
from pumice.runtime.engines.cpu.engine import compiled_network
from pumice.runtime.engines.cpu.tables import SPARSE


def force_dense_path(network: Network) -> None:
    """Let the CPU engine multiply matrices wherever a source of `network` is active."""
    tables = compiled_network(network).tables
    tables.column("dense_from")[:] = tables.column("kind") != SPARSE
