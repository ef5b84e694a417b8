"""The rule of `runtime/early_exit.py` as ONNX operators: when a sample stops."""

import numpy as np

from ....runtime.early_exit import NEVER_EXIT, EarlyExit
from ....runtime.network import Network
from .builder import INT64, GraphBuilder


def add_early_exit(parts: GraphBuilder, network: Network, rule: EarlyExit) -> None:
    """Add, at the end of a step, how many steps each sample has run and whether it stops now."""
    name = network.output
    spiking = network.population(name).kind == "cuba"
    said = parts.step_name(f"{name}/counts_next" if spiking else f"{name}/voltage_next")
    said = parts.add_node("Cast", [said], f"{name}/said", to=INT64)
    flat = parts.add_node("Flatten", [said], f"{name}/answer", axis=1)
    two = parts.add_constant("/two", [2], np.int64)
    best = parts.add_node("TopK", [flat, two], f"{name}/best", f"{name}/best_at")
    first, second = (
        parts.add_node("Gather", [best, parts.add_scalar(k)], f"{name}/best_{k}", axis=1)
        for k in (0, 1)
    )
    margin = parts.add_node("Sub", [first, second], f"{name}/margin")
    thresholds = parts.add_constant(f"{name}/thresholds", [*rule.thresholds, NEVER_EXIT], np.int64)
    steps, stopped = parts.step_name(f"{name}/steps"), parts.step_name(f"{name}/stopped")
    place = parts.add_node("Min", [steps, parts.add_scalar(len(rule.thresholds))], f"{name}/place")
    needed = parts.add_node("Gather", [thresholds, place], f"{name}/needed", axis=0)
    clear = parts.add_node("Greater", [margin, needed], f"{name}/clear")
    over = parts.add_node("Or", [clear, parts.step_name(f"{name}/silent")], f"{name}/over")
    parts.add_node("Cast", [over], f"{name}/stopped_next", to=INT64)
    ran = parts.add_node("Sub", [parts.add_scalar(1), stopped], f"{name}/ran")
    parts.add_node("Add", [steps, ran], f"{name}/steps_next")
