"""Force the dense path of the CPU engine, where a test must not leave the choice to it."""

from pumice.runtime import Network
from pumice.runtime.engines import cpu


def force_dense_path(network: Network) -> None:
    """Let the CPU engine multiply matrices wherever a source of `network` is active."""
    table = cpu.engine.compiled_network(network).projections
    table["product"] = 1 - table["sparse"]
