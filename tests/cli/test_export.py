from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from command import EVENTS, NETWORK, pumice

from pumice.convert.importers.open import import_model
from pumice.runtime import (
    Dense,
    EarlyExit,
    Network,
    Population,
    Projection,
    network_digest,
    write_network,
)
from pumice.runtime.engines.onnx import run as run_file
from pumice.runtime.engines.reference import run


def test_what_is_exported_computes_the_same(network: Path) -> None:
    answer = pumice("export", network, "--to", "onnx", "--json")
    path = network.with_suffix(".onnx")
    assert answer.document == {
        "network": network_digest(NETWORK),
        "format": "onnx",
        "file": str(path),
        "bytes": path.stat().st_size,
        "left_out": [],
    }
    expected = run(NETWORK, EVENTS).voltages["out"]
    assert np.array_equal(run_file(path, EVENTS).voltages["out"], expected)


def test_one_step_is_a_file_of_its_own(network: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.onnx"
    answer = pumice("export", network, "--step", "-o", path)
    assert answer.status == 0 and answer.out == f"{path}: {path.stat().st_size:,} bytes\n"
    names = {value.name for value in onnx.load(path).graph.input}
    assert {"in", "conv/voltage", "out/current"} <= names


@pytest.mark.parametrize("folder", ["absent", "net.pumice"])
def test_a_place_that_cannot_be_written_is_named(network: Path, folder: str) -> None:
    answer = pumice("export", network, "-o", network.parent / folder / "net.onnx")
    assert answer.status == 2 and "cannot be written" in answer.err


@pytest.mark.parametrize(("to", "suffix"), [("nir", ".nir"), ("netx", ".net")])
def test_other_formats_are_read_again_with_the_same_answer(
    network: Path, to: str, suffix: str
) -> None:
    assert pumice("export", network, "--to", to).status == 0
    made = import_model(network.with_suffix(suffix))
    assert isinstance(made, Network)
    found = run(made, EVENTS).voltages[made.output]
    assert np.array_equal(found, run(NETWORK, EVENTS).voltages["out"])


@pytest.mark.parametrize("to", ["nir", "netx"])
def test_an_early_exit_that_a_format_cannot_hold_is_named(network: Path, to: str) -> None:
    write_network(network, replace(NETWORK, early_exit=EarlyExit((10, 10))))
    assert "left out: early exit" in pumice("export", network, "--to", to).err
    document = pumice("export", network, "--to", to, "--json").document
    assert document["left_out"] == ["early exit"]
    assert "left out" not in pumice("export", network, "--to", "onnx").err


def test_what_a_format_cannot_hold_is_one_line(tmp_path: Path) -> None:
    populations = Population("in", (4,), "input"), Population("out", (3,), bias=1, bias_exponent=2)
    fine = Network(populations, (Projection("a", "in", "out", Dense(np.full((3, 4), 20))),))
    path = tmp_path / "fine.pumice"
    write_network(path, fine)
    answer = pumice("export", path, "--to", "netx")
    assert answer.status == 2 and "no whole number of weight units" in answer.err
    assert pumice("export", path, "--to", "netx", "--whole-biases").status == 0
    answer = pumice("export", path, "--to", "nir", "--step")
    assert answer.status == 2 and "nir has no files of one timestep" in answer.err
