"""What becomes of each node of a model, whatever the model is."""

import json
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
from torch import nn

from pumice.convert.compatibility import ImportOptions, check_compatibility
from pumice.convert.formats.netx.writer import write_netx
from pumice.convert.formats.nir.files import write_nir
from pumice.convert.quantize.float_network import FloatNetwork, FloatPopulation, FloatProjection
from pumice.runtime import Dense, Network, Population, Projection, write_network
from pumice.runtime.errors import EngineError, FileError

NETWORK = Network(
    (Population("in", (4,), "input"), Population("out", (3,), threshold=50)),
    (Projection("fc", "in", "out", Dense(np.full((3, 4), 32))),),
)


class IFNode(nn.Module):
    v_threshold, v_reset = 1.0, 0.0


class SoftNode(nn.Module):
    pass


class Leaky(nn.Module):
    beta, threshold, reset_mechanism = 0.9, 1.0, "subtract"
    inhibition = state_quant = False


def written(folder: Path, suffix: str) -> Path:
    path = folder / f"a{suffix}"
    {".net": write_netx, ".nir": write_nir, ".pumice": write_network}[suffix](path, NETWORK)
    return path


@pytest.mark.parametrize("suffix", [".net", ".nir", ".pumice"])
def test_our_own_files_are_fine_from_end_to_end(suffix: str, tmp_path: Path) -> None:
    report = check_compatibility(written(tmp_path, suffix))
    assert {finding.support for finding in report.diagnostics} == {"exact"}
    assert (report.model, report.supported_percent) == (f"a{suffix}", 100.0)


def test_a_refused_layer_of_a_file_leaves_the_others_told(tmp_path: Path) -> None:
    path = written(tmp_path, ".net")
    with h5py.File(path, "a") as file:
        del file["layer/1/neuron/type"]
        file["layer/1/neuron/type"] = "ALIF"
    report = check_compatibility(path)
    assert [finding.support for finding in report.diagnostics] == ["exact", "unsupported"]
    assert (report.supported_percent, report.unsupported[0].node) == (50.0, "dense1")
    assert report.unsupported[0].remedy == "use CUBA neurons"


def test_what_a_file_is_silent_about_is_asked_for(tmp_path: Path) -> None:
    weights, ones = np.ones((3, 4)), np.ones(3)
    made = nir.NIRGraph.from_list(nir.Linear(weights), nir.LIF(ones, ones, 0 * ones, ones))
    nir.write(tmp_path / "a.nir", made)
    (asked,) = check_compatibility(tmp_path / "a.nir").unsupported
    assert (asked.node, asked.remedy) == ("time", "give dt")
    assert check_compatibility(tmp_path / "a.nir", options=ImportOptions(dt=0.1)).unsupported == ()


def test_rounding_is_told_of_where_weights_are_real() -> None:
    layers = [nn.Linear(4, 3), IFNode(), nn.Linear(3, 2)]
    report = check_compatibility(nn.Sequential(*layers), options=ImportOptions(input_shape=(4,)))
    verdicts = {finding.node: finding.support for finding in report.diagnostics}
    assert verdicts == {
        "linear0": "exact", "ifnode1": "approximate", "linear2": "exact", "output": "approximate"
    }  # fmt: skip
    assert "input-ifnode1: 8-bit weights with an error of 0." in report.diagnostics[1].reason


def test_every_layer_of_a_module_is_told_even_without_its_input() -> None:
    report = check_compatibility([nn.Linear(4, 3), Leaky(), SoftNode(), nn.Conv2d(2, 2, 3)])
    told = [(finding.node, finding.support) for finding in report.diagnostics]
    assert told == [
        ("linear0", "exact"),
        ("leaky1", "unsupported"),
        ("softnode2", "unsupported"),
        ("conv2d3", "exact"),
        ("input", "unsupported"),
    ]
    assert report.diagnostics[1].message == (
        "leaky1: reset_mechanism='subtract' subtracts the threshold; "
        'train with reset_mechanism="zero"'
    )


def test_shapes_that_do_not_meet_are_told_of_the_whole() -> None:
    (refused,) = check_compatibility(
        [nn.Linear(4, 3), IFNode()], options=ImportOptions(input_shape=(5,))
    ).unsupported
    assert refused.node == "network" and "linear0: takes 4 neurons" in refused.reason


def test_a_target_has_the_last_word() -> None:
    def place(network: Network) -> Any:
        raise EngineError(f"network: {network.population('out').neurons} neurons, has room for 2")

    (refused,) = check_compatibility(NETWORK, target=place).unsupported
    assert (refused.node, refused.reason) == ("target", "network: 3 neurons, has room for 2")
    assert check_compatibility(NETWORK, target=lambda network: network).unsupported == ()


def test_a_graph_is_checked_as_it_will_be_rounded() -> None:
    neurons = FloatPopulation("out", (3,), np.zeros(3, np.float32))
    weights = np.full((3, 4), 0.5, np.float32)
    graph = FloatNetwork(
        "in", (4,), 1, (neurons,), (FloatProjection("fc", "in", "out", "dense", weights),), "out"
    )
    assert [finding.node for finding in check_compatibility(graph).diagnostics] == ["out"]
    broken = FloatProjection("fc", "in", "out", "dense", weights * np.nan)
    (refused,) = check_compatibility(
        FloatNetwork("in", (4,), 1, (neurons,), (broken,), "out")
    ).unsupported
    assert "12 of 12 values are NaN or infinite" in refused.reason


def test_a_report_is_plain_values(tmp_path: Path) -> None:
    plain = json.loads(json.dumps(check_compatibility(written(tmp_path, ".net")).to_dict()))
    assert plain["model"] == "a.net" and plain["supported_percent"] == 100.0
    assert plain["diagnostics"][1]["node"] == "dense1"
    assert set(plain["diagnostics"][1]) == {
        "node",
        "kind",
        "support",
        "conversion",
        "reason",
        "remedy",
    }


def test_a_file_that_is_none_is_an_error_in_one_line(tmp_path: Path) -> None:
    for name, text in (
        ("a.net", "a.net: no such file"),
        ("a.txt", "a.txt: is none of .net, .nir and .pumice"),
        ("b.nir", r"b.nir: is not a complete HDF5 file \([^\n]*\)$"),
    ):
        (tmp_path / "a.txt").touch()
        (tmp_path / "b.nir").write_bytes(b"no")
        with pytest.raises(FileError, match=text):
            check_compatibility(tmp_path / name)
