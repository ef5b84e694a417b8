"""The Lava processes of a network, for programs of your own."""

from typing import TYPE_CHECKING

from ...runtime import Network
from ...runtime.lava_compat import patch_lava

if TYPE_CHECKING:
    from .graph import ProcessGraph


def build(network: Network, timesteps: int) -> "ProcessGraph":
    """Return the connected Lava processes of `network`, with samples of `timesteps` steps each.

    Feed its inputs, connect to any port, and run it in a process without threads:

        graph = build(network, timesteps=100)
        graph.feed("input", source.s_out)  # of shape (width, height, channels)
        graph.populations["output"].s_out.connect(sink.a_in)
        steps = RunSteps(graph.schedule.total_steps(timesteps=100, samples=1))
        source.run(steps, Loihi2SimCfg(select_tag="fixed_pt"))

    `{Conv: PySparseConvModel}` of `pumice.deploy.lava.models.conv` as the configuration's
    `exception_proc_model_map` makes convolutions quick. Raises `MissingPackage` where Lava is not
    installed, and `EngineError` for a cycle that is too quick (see `pumice.deploy.passes.schedule`).
    """
    patch_lava()
    from .graph import build_process_graph

    return build_process_graph(network, timesteps)
