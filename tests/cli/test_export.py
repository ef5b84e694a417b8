from pathlib import Path

import numpy as np
import onnx
import pytest
from command import EVENTS, NETWORK, pumice

from pumice.runtime import network_digest
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
