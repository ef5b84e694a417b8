"""Readout rules in ONNX models: the logits that they decide on, whole and step by step."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from pumice.convert.formats.onnx.writer import to_onnx, to_onnx_step
from pumice.runtime import Dense, Network, Population, Projection, Readout
from pumice.runtime.engines import onnx as engine
from pumice.runtime.engines.run import run

WEIGHTS = np.array([[2, -4, 6], [-2, 6, -8]])


def make_network(decision: Any, output: Population) -> Network:
    inputs = Population("input", (3,), "input", value_bits=2)
    projection = Projection("all", "input", "out", Dense(WEIGHTS))
    return Network((inputs, output), (projection,), readout=Readout(decision))


def make_events(seed: int = 0) -> NDArray[np.uint8]:
    """Inputs of several values, with gaps, early ends and a sample without any."""
    random = np.random.default_rng(seed)
    events = random.integers(0, 4, (7, 5, 3)).astype(np.uint8)
    events[random.random((7, 5)) < 0.4] = 0
    events[4:, 1], events[:, 2], events[:3, 3] = 0, 0, 0
    events[2, 1] = 1, 2, 3
    return events


def open_session(model: Any) -> Any:
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=providers)


OUTPUTS = {
    "integrator": Population("out", (2,), "integrator", voltage_decay=1024),
    "spikes": Population("out", (2,), threshold=3, voltage_decay=500),
    "several": Population(
        "out", (2,), threshold=3, reset="subtract", reset_value=3, max_spikes=7, value_bits=3
    ),
}


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("decision", ["max", "length"])
def test_the_model_gives_the_logits_of_the_rule(decision: str, output: str) -> None:
    network, events = make_network(decision, OUTPUTS[output]), make_events()
    expected = run(network, events, "reference").logits
    model = to_onnx(network)
    (logits,) = open_session(model).run(["out/logits"], {"input": events})
    assert logits.dtype == np.int64 and np.array_equal(logits, expected[-1])
    plain = run(replace(network, readout=Readout()), events, "reference").logits[-1]
    changes = output == "integrator"  # numbers of spikes never fall, and last after the input
    assert np.array_equal(plain, expected[-1]) != changes
    trace = run(network, events, "onnx")
    assert np.array_equal(trace.logits, expected)
    from_file = replace(engine.run(model.SerializeToString(), events), network=network)
    assert np.array_equal(from_file.logits, expected)


@pytest.mark.parametrize("decision", ["max", "length"])
def test_step_by_step_it_gives_the_logits_of_the_timesteps_so_far(decision: str) -> None:
    network, events = make_network(decision, OUTPUTS["integrator"]), make_events(1)
    model = to_onnx_step(network)
    session = open_session(model)
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(metadata["pumice.readout"])["decision"] == decision
    states = json.loads(metadata["pumice.states"])
    types = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
    given = {value.name: types.get(value.type) for value in session.get_inputs()}
    feed = {
        s["name"]: np.zeros([5 if d == "batch" else d for d in s["shape"]], given[s["name"]])
        for s in states
    }
    names = [state["next"] for state in states]
    for step, frame in enumerate(events):
        values = session.run(names, {"input": frame, **feed})
        feed = {s["name"]: value for s, value in zip(states, values, strict=True)}
        expected = run(network, events[: step + 1], "reference").logits[-1]
        assert np.array_equal(feed["out/logits"], expected)


def test_other_rules_are_in_the_metadata_alone() -> None:
    output = OUTPUTS["integrator"]
    network = make_network("last", output)
    plain = {prop.key for prop in to_onnx(network).metadata_props}
    assert "pumice.readout" not in plain
    rule = Readout("mean", "regression", (0.5, 2.0), (1.0, -1.0))
    model = to_onnx(replace(network, readout=rule))
    metadata = {prop.key: prop.value for prop in model.metadata_props}
    assert json.loads(metadata["pumice.readout"]) == rule.to_dict()
    assert "out/logits" not in [value.name for value in model.graph.output]
