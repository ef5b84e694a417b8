"""Readout rule as ONNX operators: `decide_step` of `runtime/readout.py`, for each sample."""

import numpy as np

from ....runtime.network import Network
from ....runtime.population import Population
from .builder import BOOL, INT32, INT64, GraphBuilder

HELD_DECISIONS = ("max", "length")  # the others read the state after the last timestep alone


def output_state(output: Population) -> str:
    """Kind of the state that the output is read from."""
    if output.kind == "integrator":
        return "voltage"
    return "counts" if output.max_spikes == 1 else "score"


def add_outputs(builder: GraphBuilder, network: Network) -> str:
    """Add the output after a timestep, int64 (batch, *shape)."""
    output = network.population(network.output)
    state = builder.step_name(f"{output.name}/{output_state(output)}_next")
    return builder.add_node("Cast", [state], f"{output.name}/output", to=INT64)


def add_readout(builder: GraphBuilder, network: Network) -> None:
    """Add, at the end of a timestep, the logits that the rule "max" or "length" holds."""
    name, ones = network.output, (1,) * len(network.population(network.output).shape)
    outputs, held = add_outputs(builder, network), builder.step_name(f"{name}/logits")
    ran = builder.step_name(f"{name}/ran")
    later = builder.add_node("Cast", [ran], f"{name}/later", to=BOOL)
    new = builder.add_node("Not", [later], f"{name}/first")
    if network.readout.decision == "max":
        held = builder.add_node("Max", [held, outputs], f"{name}/largest")
    else:
        new = builder.add_node("Or", [new, _add_has_input(builder, network)], f"{name}/changed")
    shape = builder.add_constant(f"/each/{len(ones)}", [-1, *ones], np.int64)
    mask = builder.add_node("Reshape", [new, shape], f"{name}/new")
    builder.add_node("Where", [mask, outputs, held], f"{name}/logits_next")
    builder.add_node("Add", [ran, builder.add_scalar(1)], f"{name}/ran_next")


def _add_has_input(builder: GraphBuilder, network: Network) -> str:
    """Add whether a sample has an input in this timestep, bool (batch,)."""
    total, zero = "", builder.add_constant("/no_input", 0, np.int32)
    for population in network.inputs:
        name = population.name
        values = builder.add_node("Cast", [builder.step_name(name)], f"{name}/given", to=INT32)
        size = builder.add_node("Abs", [values], f"{name}/size")
        flat = builder.add_node("Flatten", [size], f"{name}/flattened", axis=1)
        largest = builder.add_node("ReduceMax", [flat], f"{name}/most", axes=[1], keepdims=0)
        active = builder.add_node("Greater", [largest, zero], f"{name}/active")
        total = builder.add_node("Or", [total, active], f"{name}/any") if total else active
    return total
