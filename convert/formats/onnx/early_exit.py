"""Early exit as ONNX operators: the stopping rule of `runtime/early_exit.py`."""

import numpy as np

from ....runtime.early_exit import NEVER_EXIT, EarlyExit
from ....runtime.network import Network
from .builder import INT64, GraphBuilder
from .readout import add_outputs


def add_early_exit(builder: GraphBuilder, network: Network, rule: EarlyExit) -> None:
    """Add, at the end of a timestep, the steps that each sample has run and whether it stops."""
    name = network.output
    logits = builder.add_node("Flatten", [add_outputs(builder, network)], f"{name}/flat", axis=1)
    two = builder.add_constant("/two", [2], np.int64)
    top = builder.add_node("TopK", [logits, two], f"{name}/top", f"{name}/top_indices")
    first, second = (
        builder.add_node("Gather", [top, builder.add_scalar(k)], f"{name}/top_{k}", axis=1)
        for k in (0, 1)
    )
    margin = builder.add_node("Sub", [first, second], f"{name}/margin")
    table = builder.add_constant(f"{name}/thresholds", [*rule.thresholds, NEVER_EXIT], np.int64)
    steps, stopped = builder.step_name(f"{name}/steps"), builder.step_name(f"{name}/stopped")
    last = builder.add_scalar(len(rule.thresholds))
    index = builder.add_node("Min", [steps, last], f"{name}/index")
    threshold = builder.add_node("Gather", [table, index], f"{name}/needed", axis=0)
    exceeds = builder.add_node("Greater", [margin, threshold], f"{name}/exceeds")
    inactive = builder.step_name(f"{name}/inactive")
    stops = builder.add_node("Or", [exceeds, inactive], f"{name}/stops")
    builder.add_node("Cast", [stops], f"{name}/stopped_next", to=INT64)
    ran = builder.add_node("Sub", [builder.add_scalar(1), stopped], f"{name}/ran")
    builder.add_node("Add", [steps, ran], f"{name}/steps_next")
