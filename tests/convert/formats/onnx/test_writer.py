"""ONNX models: valid, exact as a whole and step by step, with their provenance."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from strategies import Events, networks, runs
from traces import assert_same

from pumice.convert.formats.onnx.writer import (
    run_onnx,
    to_onnx,
    to_onnx_step,
    write_onnx,
)
from pumice.runtime import Dense, Network, Population, Projection, Trace, network_digest
from pumice.runtime.engines import onnx as engine
from pumice.runtime.engines import reference
from pumice.runtime.errors import FileError
from pumice.runtime.population import SPIKING


def small_network() -> Network:
    """Names that could collide inside a model: a projection is named as its target."""
    populations = (
        Population("step", (3,), kind="input", value_bits=8),
        Population("events", (2,), threshold=5),
        Population("weights", (40,), kind="integrator"),
    )
    projections = (
        Projection(
            "events", "step", "events", Dense(np.array([[2, 6, 4], [-2, 4, 2]])), -1, delay=2
        ),
        Projection("step", "events", "weights", Dense(np.full((40, 2), 255))),
    )
    return Network(populations, projections, provenance={"seed": 7})


def graded_events() -> NDArray[np.uint8]:
    return np.random.default_rng(1).integers(0, 256, (6, 2, 3)).astype(np.uint8)


def metadata(model: ModelProto) -> dict[str, str]:
    return {prop.key: prop.value for prop in model.metadata_props}


def run_stepwise(network: Network, events: Events) -> Trace:
    """Run the step model by hand from zero states, as a streaming user would."""
    model = to_onnx_step(network)
    states = json.loads(metadata(model)["pumice.states"])
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    timesteps, batch = next(iter(events.values())).shape[:2]
    types = {entry.name: entry.type for entry in session.get_inputs()}
    numpy_types: dict[str, Any] = {
        "tensor(int64)": np.int64,
        "tensor(int32)": np.int32,
        "tensor(uint8)": np.uint8,
    }
    carried: dict[str, NDArray[Any]] = {}
    for state in states:
        shape = [batch if size == "batch" else size for size in state["shape"]]
        carried[state["name"]] = np.zeros(shape, numpy_types[types[state["name"]]])
    names = [output.name for output in session.get_outputs()]
    spikes: dict[str, list[NDArray[Any]]] = {
        p.name: [] for p in network.topological_order if p.kind in SPIKING
    }
    voltages: dict[str, list[NDArray[Any]]] = {
        p.name: [] for p in network.topological_order if p.kind == "integrator"
    }
    for now in range(timesteps):
        step_events = {name: array[now] for name, array in events.items()}
        results = dict(zip(names, session.run(names, step_events | carried), strict=True))
        carried = {state["name"]: results[state["next"]] for state in states}
        for name in spikes:
            spikes[name].append(results[f"{name}/spikes"])
        for name in voltages:
            voltages[name].append(results[f"{name}/voltage_next"].astype(np.int32))
    counted = [*network.inputs, *(p for p in network.topological_order if p.kind in SPIKING)]
    return Trace(
        timesteps,
        batch,
        events | {name: np.array(each) for name, each in spikes.items()},
        {p.name: carried[f"{p.name}/counts"] for p in counted},
        {name: np.array(each) for name, each in voltages.items()},
    )


@settings(max_examples=settings().max_examples // 2)
@given(runs())
def test_iterated_step_model_equals_the_network(run: tuple[Network, Events]) -> None:
    network, events = run
    assert_same(run_stepwise(network, events), reference.run(network, events))


@settings(max_examples=settings().max_examples // 2)
@given(networks(), st.sampled_from(["all", "output"]))
def test_models_pass_the_checker_with_shape_inference(network: Network, record: Any) -> None:
    onnx.checker.check_model(to_onnx(network, record), full_check=True)
    onnx.checker.check_model(to_onnx_step(network), full_check=True)


@settings(max_examples=settings().max_examples // 2)
@given(networks())
def test_step_has_no_unread_values(network: Network) -> None:
    """ONNX Runtime before 1.20 reuses the memory of such values too early, and goes wrong."""
    graph = to_onnx_step(network).graph
    read = {name for node in graph.node for name in node.input}
    read |= {output.name for output in graph.output}
    assert [name for node in graph.node for name in node.output if name not in read] == []


def test_names_in_a_model_are_unique() -> None:
    events = graded_events()
    assert_same(run_onnx(small_network(), events), reference.run(small_network(), events))


def test_inputs_and_outputs_are_named_as_the_populations() -> None:
    model = to_onnx(small_network(), "all")
    assert [value.name for value in model.graph.input] == ["step"]
    assert [value.name for value in model.graph.output] == [
        *("events/spikes", "weights/voltages"),
        *("step/counts", "events/counts"),
    ]
    lead = [d.dim_param for d in model.graph.input[0].type.tensor_type.shape.dim]
    assert lead == ["timesteps", "batch", ""]


def test_model_records_its_provenance() -> None:
    network = small_network()
    for model in (to_onnx(network), to_onnx_step(network)):
        assert metadata(model)["pumice.network"] == network_digest(network)
        assert json.loads(metadata(model)["pumice.provenance"]) == {"seed": 7}
        assert metadata(model)["pumice.output"] == "weights"


def test_weights_are_stored_as_int16() -> None:
    stored = {tensor.name: tensor for tensor in to_onnx(small_network()).graph.initializer}
    weights = numpy_helper.to_array(stored["step/weights/stored"])
    assert weights.dtype == np.int16 and (weights == 255).all() and weights.shape == (40, 2)
    assert not any(t.data_type == onnx.TensorProto.FLOAT and t.dims for t in stored.values())


def test_export_is_deterministic() -> None:
    assert (
        to_onnx(small_network()).SerializeToString() == to_onnx(small_network()).SerializeToString()
    )


def test_written_model_runs(tmp_path: Path) -> None:
    write_onnx(tmp_path / "model.onnx", small_network(), "all")
    events = graded_events()
    trace = engine.run(tmp_path / "model.onnx", events)
    assert_same(trace, reference.run(small_network(), events))
    assert [path.name for path in tmp_path.iterdir()] == ["model.onnx"]


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="model.onnx: cannot be written"):
        write_onnx(tmp_path / "none" / "model.onnx", small_network())
