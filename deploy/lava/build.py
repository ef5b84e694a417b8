"""Build the Lava processes of a network, for use in your own Lava programs."""

from typing import TYPE_CHECKING

from ...runtime import Network
from ...runtime.lava_compat import patch_lava

if TYPE_CHECKING:
    from .graph import ProcessGraph


def build(network: Network, timesteps: int) -> "ProcessGraph":
    """Build the connected Lava processes of `network`, with samples of `timesteps` steps each.

    Feed its inputs, connect to any port, and run it in a process without threads:

        graph = build(network, timesteps=100)
        graph.feed("input", source.s_out)  # of shape (width, height, channels)
        graph.populations["output"].s_out.connect(sink.a_in)
        steps = RunSteps(graph.schedule.total_steps(timesteps=100, samples=1))
        source.run(steps, Loihi2SimCfg(select_tag="fixed_pt"))

    For fast convolutions, pass `{Conv: PySparseConvModel}` (`pumice.deploy.lava.models.conv`) as
    the configuration's `exception_proc_model_map`.

    Raises:
        MissingPackage: Lava is not installed.
        EngineError: A cycle of the network is too short (see `pumice.deploy.passes.schedule`).
    """
    patch_lava()
    from .graph import build_process_graph

    return build_process_graph(network, timesteps)
