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


def test_an_exported_network_computes_the_same(network: Path) -> None:
    result = pumice("export", network, "--to", "onnx", "--json")
    path = network.with_suffix(".onnx")
    assert result.document == {
        "network": network_digest(NETWORK),
        "format": "onnx",
        "file": str(path),
        "bytes": path.stat().st_size,
        "omitted": [],
    }
    expected = run(NETWORK, EVENTS).voltages["out"]
    assert np.array_equal(run_file(path, EVENTS).voltages["out"], expected)


def test_a_network_is_not_replaced_by_its_export(network: Path) -> None:
    before = network.read_bytes()
    result = pumice("export", network, "--to", "nir", "-o", network)
    assert result.status == 2 and "is the network itself; name another file" in result.err
    assert network.read_bytes() == before


def test_a_single_step_is_exported_with_external_state(network: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.onnx"
    result = pumice("export", network, "--step", "-o", path)
    assert result.status == 0 and result.out == f"{path}: {path.stat().st_size:,} bytes\n"
    names = {value.name for value in onnx.load(path).graph.input}
    assert {"in", "conv/voltage", "out/current"} <= names


@pytest.mark.parametrize("folder", ["absent", "net.pumice"])
def test_an_unwritable_path_is_an_error(network: Path, folder: str) -> None:
    result = pumice("export", network, "-o", network.parent / folder / "net.onnx")
    assert result.status == 2 and "cannot be written" in result.err


@pytest.mark.parametrize(("to", "suffix"), [("nir", ".nir"), ("netx", ".net")])
def test_other_formats_are_read_again_with_the_same_answer(
    network: Path, to: str, suffix: str
) -> None:
    assert pumice("export", network, "--to", to).status == 0
    imported = import_model(network.with_suffix(suffix))
    assert isinstance(imported, Network)
    voltages = run(imported, EVENTS).voltages[imported.output]
    assert np.array_equal(voltages, run(NETWORK, EVENTS).voltages["out"])


@pytest.mark.parametrize("to", ["nir", "netx"])
def test_an_early_exit_that_a_format_omits_is_reported(network: Path, to: str) -> None:
    write_network(network, replace(NETWORK, early_exit=EarlyExit((10, 10))))
    assert "omitted: early exit" in pumice("export", network, "--to", to).err
    document = pumice("export", network, "--to", to, "--json").document
    assert document["omitted"] == ["early exit"]
    assert "omitted" not in pumice("export", network, "--to", "onnx").err


def test_an_unsupported_feature_is_an_error_of_one_line(tmp_path: Path) -> None:
    populations = Population("in", (4,), "input"), Population("out", (3,), bias=1, bias_exponent=2)
    network = Network(populations, (Projection("a", "in", "out", Dense(np.full((3, 4), 20))),))
    path = tmp_path / "net.pumice"
    write_network(path, network)
    result = pumice("export", path, "--to", "netx")
    assert result.status == 2 and "no integer number of weight units" in result.err
    assert pumice("export", path, "--to", "netx", "--round-biases").status == 0
    result = pumice("export", path, "--to", "nir", "--step")
    assert result.status == 2 and "nir has no single-step files" in result.err
