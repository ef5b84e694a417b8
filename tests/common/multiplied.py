"""Which way the fast engine takes, where a test must not leave the choice to it."""

from pumice.runtime import Network
from pumice.runtime.engines import cpu


def multiply(network: Network) -> None:
    """Let the fast engine multiply wherever a source of `network` is active."""
    table = cpu.engine.compiled_network(network).projections
    table["product"] = 1 - table["sparse"]
