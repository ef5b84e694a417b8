"""A network as an ONNX model: whole, with time inside, or one step with its states outside."""

import json
import os

import numpy as np

from ....runtime.engines.onnx import (
    FORMAT_VERSION,
    ZERO_DIGEST,
    model_digest,
    run,
)
from ....runtime.events import Events
from ....runtime.files import atomic_write, network_digest
from ....runtime.network import Network
from ....runtime.population import Population
from ....runtime.trace import Record, Trace
from .builder import (
    INT32,
    UINT8,
    GraphBuilder,
    GraphProto,
    ModelProto,
    ValueInfoProto,
    helper,
)
from .step import StateSpec, add_step, list_states

# ONNX Runtime 1.16, 1.18, 1.20, 1.22, 1.24 and 1.31 were seen to read this and to be exact.
OPSET = 13
IR_VERSION = 7
FINAL_STATES = ("counts", "steps")  # the states whose last value is an output


def to_onnx(network: Network, record: Record = "output") -> ModelProto:
    """Return a model that runs `network` on events of any number of steps and samples.

    Its inputs are called as the input populations, uint8 (timesteps, batch, *shape). Its outputs
    are what a `Trace` holds: `NAME/spikes` uint8 and `NAME/voltages` int32 (timesteps, batch,
    *shape), `NAME/counts` int32 (batch, *shape), and of a network whose samples may stop early the
    steps they ran, `OUTPUT/steps` int64 (batch,). With `record="all"` it gives the spikes of every
    population, else those of the output only.
    """
    parts = GraphBuilder("/step/")
    add_step(parts, network)
    carried = list_states(network)
    shown = _add_recordings(parts, network, record)
    body = helper.make_graph(
        parts.step_nodes,
        "step",
        [_state_info(s, parts.step_name(s.name)) for s in carried]
        + [_input_info(p, parts.step_name(p.name)) for p in network.inputs],
        [_state_info(s, parts.step_name(f"{s.name}_next")) for s in carried]
        + [_value_info(parts.step_name(name), form, "batch", *p.shape) for name, form, p in shown],
    )
    parts.add_setup_node("Shape", [network.inputs[0].name], "/events")
    second = parts.add_constant("/second", [1], np.int64)
    parts.add_setup_node("Gather", ["/events", second], "/batch", axis=0)
    starts = [_add_initial_state(parts, state) for state in carried]
    ends = [s.name if s.kind in FINAL_STATES else f"{s.name}_end" for s in carried]
    scan = helper.make_node(
        "Scan",
        [*starts, *(p.name for p in network.inputs)],
        [*ends, *(name for name, _, _ in shown)],
        body=body,
        num_scan_inputs=len(network.inputs),
    )
    outputs = [_value_info(name, form, "timesteps", "batch", *p.shape) for name, form, p in shown]
    graph = helper.make_graph(
        [*parts.setup_nodes, scan],
        "network",
        [_input_info(p, p.name, "timesteps") for p in network.inputs],
        outputs + [_state_info(s, s.name) for s in carried if s.kind in FINAL_STATES],
        parts.initializers,
    )
    return _make_model(graph, network, {"model": "network", "record": record})


def to_onnx_step(network: Network) -> ModelProto:
    """Return a model that runs one step of `network`, for those who keep time themselves.

    Its inputs are the events of the step, uint8 (batch, *shape), and every state: `NAME/current`
    and `NAME/voltage` int64, `NAME/counts` int32, `NAME/history` uint8 where a delay asks for past
    values. It gives `NAME/spikes`, uint8, and each state as it is after the step, with `_next` at
    the end of its name. States start at zero; the metadata `pumice.states` lists them.
    """
    parts = GraphBuilder("")
    add_step(parts, network)
    carried = list_states(network)
    spiking = [p for p in network.topological_order if p.kind == "cuba"]
    graph = helper.make_graph(
        parts.setup_nodes + parts.step_nodes,
        "step",
        [_input_info(p, p.name) for p in network.inputs]
        + [_state_info(s, s.name) for s in carried],
        [_value_info(f"{p.name}/spikes", UINT8, "batch", *p.shape) for p in spiking]
        + [_state_info(s, f"{s.name}_next") for s in carried],
        parts.initializers,
    )
    listed = [
        {
            "name": s.name,
            "next": f"{s.name}_next",
            "shape": _state_dimensions(s),
            "meaning": s.meaning,
        }
        for s in carried
    ]
    return _make_model(graph, network, {"model": "step", "states": json.dumps(listed)})


def write_onnx(
    path: str | os.PathLike[str],
    network: Network,
    record: Record = "output",
    step: bool = False,
) -> None:
    """Export a network to an ONNX file, written atomically.

    Args:
        path: The file.
        network: The network; its early exit is part of the model.
        record: What a run of the model records; see `to_onnx`.
        step: Write one timestep with its states outside (see `to_onnx_step`) instead.

    Raises:
        FileError: The file cannot be written.
    """
    model = to_onnx_step(network) if step else to_onnx(network, record)
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def run_onnx(network: Network, events: Events, record: Record = "all") -> Trace:
    """Run `network` as an ONNX model in ONNX Runtime; raises `EngineError` as all engines do."""
    return run(to_onnx(network, record).SerializeToString(), events)


def _add_recordings(
    parts: GraphBuilder, network: Network, record: Record
) -> list[tuple[str, int, Population]]:
    """Return name, type and population of what is recorded at every step."""
    shown = []
    for population in network.topological_order:
        name = population.name
        if population.kind == "integrator":
            parts.add_node(
                "Cast", [parts.step_name(f"{name}/voltage_next")], f"{name}/voltages", to=INT32
            )
            shown.append((f"{name}/voltages", INT32, population))
        elif record == "all" or name == network.output:
            shown.append((f"{name}/spikes", UINT8, population))
    return shown


def _add_initial_state(parts: GraphBuilder, state: StateSpec) -> str:
    """Return zeros for the start of `state`, for as many samples as there are events."""
    ends = [parts.add_constant(f"{state.name}_shape", state.shape, np.int64)]
    if state.steps:
        starts = [parts.add_constant(f"{state.name}_steps", [state.steps], np.int64)]
    else:
        starts = []
    shape = parts.add_setup_node("Concat", [*starts, "/batch", *ends], f"{state.name}_size", axis=0)
    zero = helper.make_tensor(f"{state.name}_zero", state.dtype, [1], [0])
    return parts.add_setup_node("ConstantOfShape", [shape], f"{state.name}_start", value=zero)


def _value_info(name: str, form: int, *dimensions: str | int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, form, dimensions)


def _input_info(population: Population, name: str, *lead: str) -> ValueInfoProto:
    return _value_info(name, UINT8, *lead, "batch", *population.shape)


def _state_info(state: StateSpec, name: str) -> ValueInfoProto:
    return _value_info(name, state.dtype, *_state_dimensions(state))


def _state_dimensions(state: StateSpec) -> list[str | int]:
    return [*([state.steps] if state.steps else []), "batch", *state.shape]


def _make_model(graph: GraphProto, network: Network, more: dict[str, str]) -> ModelProto:
    """Return `graph` as a model that says where it comes from, sealed against damage."""
    inputs = [
        {"name": p.name, "shape": p.shape, "value_bits": p.value_bits} for p in network.inputs
    ]
    facts = {
        "format": str(FORMAT_VERSION),
        "network": network_digest(network),
        "output": network.output,
        "provenance": json.dumps(dict(network.provenance), sort_keys=True),
        "inputs": json.dumps(inputs),
        **more,
    }
    model = helper.make_model(
        graph,
        producer_name="pumice",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    for digest in (ZERO_DIGEST, None):
        helper.set_model_props(
            model,
            {
                **{f"pumice.{key}": value for key, value in facts.items()},
                "pumice.sha256": digest or model_digest(model.SerializeToString()),
            },
        )
    return model
