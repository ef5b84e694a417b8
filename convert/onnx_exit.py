"""The rule of `runtime/early_exit.py` as ONNX operators: when a sample stops."""

import numpy as np

from ..runtime.early_exit import NEVER, EarlyExit
from ..runtime.network import Network
from .onnx_parts import INT64, Parts


def add_exit(parts: Parts, network: Network, rule: EarlyExit) -> None:
    """Add, at the end of a step, how many steps each sample has run and whether it stops now."""
    name = network.output
    spiking = network.population(name).kind == "cuba"
    said = parts.name(f"{name}/counts_next" if spiking else f"{name}/voltage_next")
    said = parts.do("Cast", [said], f"{name}/said", to=INT64)
    flat = parts.do("Flatten", [said], f"{name}/answer", axis=1)
    two = parts.constant("/two", [2], np.int64)
    best = parts.do("TopK", [flat, two], f"{name}/best", f"{name}/best_at")
    first, second = (
        parts.do("Gather", [best, parts.number(k)], f"{name}/best_{k}", axis=1) for k in (0, 1)
    )
    margin = parts.do("Sub", [first, second], f"{name}/margin")
    thresholds = parts.constant(f"{name}/thresholds", [*rule.thresholds, NEVER], np.int64)
    steps, stopped = parts.name(f"{name}/steps"), parts.name(f"{name}/stopped")
    place = parts.do("Min", [steps, parts.number(len(rule.thresholds))], f"{name}/place")
    needed = parts.do("Gather", [thresholds, place], f"{name}/needed", axis=0)
    clear = parts.do("Greater", [margin, needed], f"{name}/clear")
    over = parts.do("Or", [clear, parts.name(f"{name}/silent")], f"{name}/over")
    parts.do("Cast", [over], f"{name}/stopped_next", to=INT64)
    ran = parts.do("Sub", [parts.number(1), stopped], f"{name}/ran")
    parts.do("Add", [steps, ran], f"{name}/steps_next")
