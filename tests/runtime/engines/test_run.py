from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from command import EVENTS, NETWORK
from traces import assert_same

from pumice.runtime import Core, Dense, Network, Population, Program, Projection, Slice
from pumice.runtime.engines import cpu, reference
from pumice.runtime.engines.registry import (
    ENGINES,
    Engine,
    available_engines,
    get_engine,
    select_engines,
)
from pumice.runtime.engines.run import run
from pumice.runtime.errors import EngineError, MissingPackage


class Part:
    """Part of a data set, as far as the runtime knows one."""

    def __init__(self, events: Any) -> None:
        self.events = events


@pytest.mark.parametrize("engine", ["reference", "cpu", "onnx"])
@pytest.mark.parametrize("record", ["output", "all", "states"])
def test_every_engine_runs_by_its_name_and_gives_the_same(engine: str, record: Any) -> None:
    trace = run(NETWORK, EVENTS, engine, record)
    assert_same(trace, reference.run(NETWORK, EVENTS, record))
    assert trace.network is NETWORK


@pytest.mark.parametrize(
    "inputs", [EVENTS, {NETWORK.inputs[0].name: EVENTS}, Part(EVENTS)], ids=["array", "map", "part"]
)
def test_inputs_are_an_array_a_mapping_or_part_of_a_data_set(inputs: Any) -> None:
    assert_same(run(NETWORK, inputs), cpu.run(NETWORK, EVENTS))


def test_frames_of_a_data_set_are_flattened_for_a_flat_input() -> None:
    populations = Population("in", (12,), kind="input"), Population("out", (2,), threshold=3)
    weights = Dense(np.arange(24).reshape(2, 12))
    network = Network(populations, (Projection("p", "in", "out", weights),))
    frames = np.ones((4, 3, 3, 2, 2), np.uint8)
    assert_same(run(network, Part(frames)), run(network, frames.reshape(4, 3, 12)))
    with pytest.raises(EngineError, match="needs integers .timesteps, batch, 12."):
        run(network, frames)


def test_a_program_runs_as_its_network() -> None:
    slices = tuple(Slice(p.name, (0,) * len(p.shape), p.shape) for p in NETWORK.topological_order)
    program = Program(NETWORK, "one core", {}, (Core(0, 0, 0, 0, slices, {}),))
    assert_same(run(program, EVENTS), cpu.run(NETWORK, EVENTS))


def test_options_of_an_engine_are_passed_on() -> None:
    assert_same(run(NETWORK, EVENTS, threads=2), cpu.run(NETWORK, EVENTS))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"engine": "fast"},
            "no engine 'fast'; known are reference, cpu, onnx, lava, c, cortex-m, riscv",
        ),
        ({"record": "spikes"}, "record='spikes', needs one of output, all, states"),
        ({"thread": 2}, "cpu: unknown option 'thread'; its options are threads, variant"),
        (
            {"engine": "reference", "threads": 2},
            "reference: unknown option 'threads'; it has no options",
        ),
    ],
)
def test_unknown_names_are_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(EngineError) as caught:
        run(NETWORK, EVENTS, **options)
    assert str(caught.value) == message


def test_other_objects_than_networks_are_one_line() -> None:
    model: Any = "model.pumice"
    with pytest.raises(EngineError, match="run: a str cannot run, needs a Network or a Program"):
        run(model, EVENTS)


def test_a_missing_package_names_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Engine("gpu", "pumice.absent:run", ("no_such_package",), "pip install 'pumice[gpu]'")
    monkeypatch.setitem(ENGINES, "gpu", absent)
    with pytest.raises(MissingPackage) as caught:
        run(NETWORK, EVENTS, "gpu")
    assert str(caught.value) == "gpu: needs no_such_package; pip install 'pumice[gpu]'"
    assert "gpu" not in available_engines()


def test_engines_are_selected_in_one_order_with_the_reference() -> None:
    assert select_engines("onnx, cpu") == ("reference", "cpu", "onnx")
    assert select_engines(["cpu"]) == ("reference", "cpu")
    assert select_engines(None) == available_engines()
    assert all(callable(get_engine(name).load()) for name in available_engines())
    with pytest.raises(EngineError, match="no engine 'fast'"):
        select_engines("fast")


def test_a_trace_without_a_network_is_an_error() -> None:
    trace = replace(run(NETWORK, EVENTS), network=None)
    with pytest.raises(EngineError, match="trace: knows no network"):
        _ = trace.predictions
