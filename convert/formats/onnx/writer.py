"""Export to ONNX: all timesteps in one `Scan`, or one timestep with its states outside."""

import json
import os
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ....runtime.engines.onnx import FORMAT_VERSION, ZERO_DIGEST, model_digest, run
from ....runtime.events import Events
from ....runtime.files import atomic_write, network_digest
from ....runtime.network import Network
from ....runtime.population import Population
from ....runtime.readout import Readout
from ....runtime.trace import Record, Trace
from .builder import INT32, GraphBuilder, GraphProto, ModelProto, ValueInfoProto, helper
from .step import StateSpec, add_step, list_states, value_type

# ONNX Runtime 1.16, 1.18, 1.20, 1.22, 1.24 and 1.31 were seen to read this and to be exact.
OPSET = 13
IR_VERSION = 7
FINAL_STATES = ("counts", "steps", "logits")  # the states whose last value is an output


class _Recording(NamedTuple):
    """A value recorded at every timestep: its name, ONNX type and population."""

    name: str
    dtype: int
    population: Population


def to_onnx(network: Network, record: Record = "output") -> ModelProto:
    """Export `network` as an ONNX model that runs any number of timesteps and samples.

    The inputs are named as the input populations, uint8 (timesteps, batch, *shape). The outputs
    are the arrays of a `Trace`: `NAME/spikes` uint8, `NAME/voltages` and `NAME/currents` int32
    (timesteps, batch, *shape), `NAME/counts` int32 (batch, *shape), and with an early exit
    `OUTPUT/steps` int64 (batch,), the timesteps that each sample ran. With the readout rule "max"
    or "length" `OUTPUT/logits`, int64 (batch, *shape), are the logits that it decides on after the
    last timestep; the metadata entry `pumice.readout` holds any rule but "last" for classes.

    Args:
        network: The network.
        record: "output" for the spikes of the output population, "all" for those of every
            population, "states" for their currents and voltages too. Voltages of integrators are
            always recorded.

    Returns:
        The model, of opset 13, with its provenance and a SHA-256 in its metadata.
    """
    builder = GraphBuilder("/step/")
    add_step(builder, network)
    states = list_states(network)
    recordings = _add_recordings(builder, network, record)
    body = helper.make_graph(
        builder.step_nodes,
        "step",
        [_state_info(s, builder.step_name(s.name)) for s in states]
        + [_input_info(p, builder.step_name(p.name)) for p in network.inputs],
        [_state_info(s, builder.step_name(f"{s.name}_next")) for s in states]
        + [
            _value_info(builder.step_name(r.name), r.dtype, "batch", *r.population.shape)
            for r in recordings
        ],
    )
    builder.add_setup_node("Shape", [network.inputs[0].name], "/events")
    second = builder.add_constant("/second", [1], np.int64)
    builder.add_setup_node("Gather", ["/events", second], "/batch", axis=0)
    starts = [_add_initial_state(builder, state) for state in states]
    ends = [s.name if s.kind in FINAL_STATES else f"{s.name}_end" for s in states]
    scan = helper.make_node(
        "Scan",
        [*starts, *(p.name for p in network.inputs)],
        [*ends, *(r.name for r in recordings)],
        body=body,
        num_scan_inputs=len(network.inputs),
    )
    outputs = [
        _value_info(r.name, r.dtype, "timesteps", "batch", *r.population.shape) for r in recordings
    ]
    graph = helper.make_graph(
        [*builder.setup_nodes, scan],
        "network",
        [_input_info(p, p.name, "timesteps") for p in network.inputs],
        outputs + [_state_info(s, s.name) for s in states if s.kind in FINAL_STATES],
        builder.initializers,
    )
    return _make_model(graph, network, {"model": "network", "record": record})


def to_onnx_step(network: Network) -> ModelProto:
    """Export one timestep of `network` as an ONNX model, for streaming.

    The inputs are the events of the timestep, uint8 (batch, *shape), and every state:
    `NAME/current` and `NAME/voltage` int64, `NAME/counts` int32, `NAME/history` uint8 where a
    delay needs past values. The outputs are `NAME/spikes`, uint8, and each state after the
    timestep, with `_next` appended to its name. States start at zero; the metadata entry
    `pumice.states` lists them.
    """
    builder = GraphBuilder("")
    add_step(builder, network)
    states = list_states(network)
    spiking = [p for p in network.topological_order if p.kind != "integrator"]
    graph = helper.make_graph(
        builder.setup_nodes + builder.step_nodes,
        "step",
        [_input_info(p, p.name) for p in network.inputs] + [_state_info(s, s.name) for s in states],
        [_value_info(f"{p.name}/spikes", value_type(p), "batch", *p.shape) for p in spiking]
        + [_state_info(s, f"{s.name}_next") for s in states],
        builder.initializers,
    )
    described = [
        {
            "name": s.name,
            "next": f"{s.name}_next",
            "shape": _state_dimensions(s),
            "meaning": s.meaning,
        }
        for s in states
    ]
    return _make_model(graph, network, {"model": "step", "states": json.dumps(described)})


def write_onnx(
    path: str | os.PathLike[str], network: Network, record: Record = "output", step: bool = False
) -> None:
    """Export a network to an ONNX file, written atomically.

    Args:
        path: The file.
        network: The network; its early exit is part of the model.
        record: What a run of the model records; see `to_onnx`.
        step: Export one timestep with its states outside (see `to_onnx_step`) instead.

    Raises:
        FileError: The file cannot be written.
    """
    model = to_onnx_step(network) if step else to_onnx(network, record)
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def run_onnx(network: Network, events: Events, record: Record = "all") -> Trace:
    """Run `network` in ONNX Runtime, exported in memory: the entry point of the engine `onnx`.

    Raises:
        EngineError: The events do not fit the inputs, or ONNX Runtime failed.
    """
    trace = run(to_onnx(network, record).SerializeToString(), events)
    return replace(trace, network=network)


def _add_recordings(builder: GraphBuilder, network: Network, record: Record) -> list[_Recording]:
    """Add what is recorded at every timestep to the step."""
    recordings = []
    for population in network.topological_order:
        name, states = population.name, []
        if record == "states":
            states = ["current", "voltage"]
        elif population.kind == "integrator":
            states = ["voltage"]
        for state in states:
            kept = population.states[state == "voltage"]
            value = builder.step_name(f"{name}/{kept}_next")
            builder.add_node("Cast", [value], f"{name}/{state}s", to=INT32)
            recordings.append(_Recording(f"{name}/{state}s", INT32, population))
        if population.kind != "integrator" and (record != "output" or name == network.output):
            recordings.append(_Recording(f"{name}/spikes", value_type(population), population))
    return recordings


def _add_initial_state(builder: GraphBuilder, state: StateSpec) -> str:
    """Zeros for the start of `state`, for as many samples as there are events."""
    sizes = ["/batch", builder.add_constant(f"{state.name}_shape", state.shape, np.int64)]
    if state.steps:
        sizes.insert(0, builder.add_constant(f"{state.name}_steps", [state.steps], np.int64))
    shape = builder.add_setup_node("Concat", sizes, f"{state.name}_size", axis=0)
    zero = helper.make_tensor(f"{state.name}_zero", state.dtype, [1], [0])
    return builder.add_setup_node("ConstantOfShape", [shape], f"{state.name}_start", value=zero)


def _value_info(name: str, dtype: int, *dimensions: str | int) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, dtype, dimensions)


def _input_info(population: Population, name: str, *lead: str) -> ValueInfoProto:
    return _value_info(name, value_type(population), *lead, "batch", *population.shape)


def _state_info(state: StateSpec, name: str) -> ValueInfoProto:
    return _value_info(name, state.dtype, *_state_dimensions(state))


def _state_dimensions(state: StateSpec) -> list[str | int]:
    return [*([state.steps] if state.steps else []), "batch", *state.shape]


def _make_model(graph: GraphProto, network: Network, facts: dict[str, str]) -> ModelProto:
    """Wrap `graph` as a model with its provenance and a digest that detects damage."""
    inputs = [
        {"name": p.name, "shape": p.shape, "value_bits": p.value_bits}
        | ({"signed": True} if p.signed else {})
        for p in network.inputs
    ]
    default = network.readout == Readout()
    readout = {} if default else {"readout": json.dumps(network.readout.to_dict())}
    metadata = {
        "format": str(FORMAT_VERSION),
        "network": network_digest(network),
        "output": network.output,
        "provenance": json.dumps(dict(network.provenance), sort_keys=True),
        "inputs": json.dumps(inputs),
        **readout,
        **facts,
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
                **{f"pumice.{key}": value for key, value in metadata.items()},
                "pumice.sha256": digest or model_digest(model.SerializeToString()),
            },
        )
    return model
