"""Compatibility check of files, modules and networks."""

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
    inhibition, state_quant = True, False


def write_file(folder: Path, suffix: str) -> Path:
    path = folder / f"a{suffix}"
    {".net": write_netx, ".nir": write_nir, ".pumice": write_network}[suffix](path, NETWORK)
    return path


@pytest.mark.parametrize("suffix", [".net", ".nir", ".pumice"])
def test_own_files_are_exact(suffix: str, tmp_path: Path) -> None:
    report = check_compatibility(write_file(tmp_path, suffix))
    assert {each.support for each in report.diagnostics} == {"exact"}
    assert (report.model, report.supported_percent) == (f"a{suffix}", 100.0)


def test_unsupported_layer_of_a_file_does_not_hide_the_others(tmp_path: Path) -> None:
    path = write_file(tmp_path, ".net")
    with h5py.File(path, "a") as file:
        del file["layer/1/neuron/type"]
        file["layer/1/neuron/type"] = "ADRF"
    report = check_compatibility(path)
    assert [each.support for each in report.diagnostics] == ["exact", "unsupported"]
    assert (report.supported_percent, report.unsupported[0].node) == (50.0, "dense1")
    assert report.unsupported[0].remedy == "use CUBA, ALIF, RF or sigma-delta neurons"


def test_missing_options_are_diagnosed(tmp_path: Path) -> None:
    weights, ones = np.ones((3, 4)), np.ones(3)
    graph = nir.NIRGraph.from_list(nir.Linear(weights), nir.LIF(ones, ones, 0 * ones, ones))
    nir.write(tmp_path / "a.nir", graph)
    (missing,) = check_compatibility(tmp_path / "a.nir").unsupported
    assert (missing.node, missing.remedy) == ("time", "give dt, for example 0.05")
    assert check_compatibility(tmp_path / "a.nir", options=ImportOptions(dt=0.1)).unsupported == ()


def test_quantization_errors_of_float_weights_are_reported() -> None:
    layers = [nn.Linear(4, 3), IFNode(), nn.Linear(3, 2)]
    report = check_compatibility(nn.Sequential(*layers), options=ImportOptions(input_shape=(4,)))
    supports = {each.node: each.support for each in report.diagnostics}
    assert supports == {
        "linear0": "exact", "ifnode1": "approximate", "linear2": "exact", "output": "approximate"
    }  # fmt: skip
    assert "input-ifnode1: 8-bit weights with an error of 0." in report.diagnostics[1].reason


def test_every_layer_is_diagnosed_even_without_an_input_shape() -> None:
    report = check_compatibility([nn.Linear(4, 3), Leaky(), SoftNode(), nn.Conv2d(2, 2, 3)])
    supports = [(each.node, each.support) for each in report.diagnostics]
    assert supports == [
        ("linear0", "exact"),
        ("leaky1", "unsupported"),
        ("softnode2", "unsupported"),
        ("conv2d3", "exact"),
        ("input", "unsupported"),
    ]
    assert report.diagnostics[1].message == (
        "leaky1: inhibition=True lets one neuron fire at a time; train without it"
    )


def test_shape_mismatch_is_reported_for_the_network() -> None:
    (unsupported,) = check_compatibility(
        [nn.Linear(4, 3), IFNode()], options=ImportOptions(input_shape=(5,))
    ).unsupported
    assert unsupported.node == "network" and "linear0: takes 4 neurons" in unsupported.reason


@pytest.mark.parametrize(
    "names", [("lif1", "lif3"), ("1", "3"), ("lif 1", "lif 3"), ("1.lif", "3.lif"), ("a b", "a_b")]
)
def test_nodes_have_one_row_each_whatever_their_names(names: Any, tmp_path: Path) -> None:
    rng, f = np.random.default_rng(0), np.float32
    nodes: dict[str, Any] = {"input": nir.Input(np.array([4]))}
    for name, shape in zip(names, ((3, 4), (2, 3)), strict=True):
        nodes[f"w{name}"] = nir.Linear(rng.normal(size=shape).astype(f))
        nodes[name] = nir.LIF(*[np.full(shape[0], v, f) for v in (0.02, 1, 0, 1)])
    nodes["output"] = nir.Output(np.array([2]))
    order = list(nodes)
    edges = list(zip(order[:-1], order[1:], strict=True))
    nir.write(tmp_path / "a.nir", nir.NIRGraph(nodes, edges, type_check=False))
    report = check_compatibility(tmp_path / "a.nir", options=ImportOptions(dt=1e-3))
    supports = {each.node: each.support for each in report.diagnostics}
    approximate = dict.fromkeys(names, "approximate")
    assert supports == {**dict.fromkeys(order, "exact"), **approximate}
    assert len(report.diagnostics) == len(order)


@pytest.mark.parametrize(("gain", "dt"), [(200.0, 1e-4), (20.0, 1e-3), (1.0, 1e-3)])
def test_timestep_is_proposed_from_the_time_constants(
    gain: float, dt: float, tmp_path: Path
) -> None:
    ones = np.ones(3)
    lif = nir.LIF(0.02 * ones, gain * ones, 0 * ones, ones)
    nir.write(tmp_path / "a.nir", nir.NIRGraph.from_list(nir.Linear(np.ones((3, 4))), lif))
    (missing,) = check_compatibility(tmp_path / "a.nir").unsupported
    assert missing.remedy == f"give dt, for example {dt:g}"


def test_percentages_of_weights_and_spikes(tmp_path: Path) -> None:
    weights = np.random.default_rng(1).normal(size=(30, 20)) * 8
    ones = np.ones(30)
    lif = nir.LIF(0.02 * ones, ones, 0 * ones, ones)
    nir.write(tmp_path / "a.nir", nir.NIRGraph.from_list(nir.Linear(weights), lif))
    right = check_compatibility(tmp_path / "a.nir", options=ImportOptions(dt=1e-3))
    wrong = check_compatibility(tmp_path / "a.nir", options=ImportOptions(dt=1e-8))
    assert right.carried_percent is not None and right.carried_percent > 98
    assert right.changed_percent is not None and right.changed_percent < 5
    assert wrong.carried_percent is not None and wrong.carried_percent < 50


def test_target_is_checked_last() -> None:
    def place(network: Network) -> Any:
        raise EngineError(f"network: {network.population('out').neurons} neurons, has room for 2")

    (unsupported,) = check_compatibility(NETWORK, target=place).unsupported
    assert (unsupported.node, unsupported.reason) == (
        "target",
        "network: 3 neurons, has room for 2",
    )
    assert check_compatibility(NETWORK, target=lambda network: network).unsupported == ()


def test_float_network_is_checked_as_it_will_be_quantized() -> None:
    neurons = FloatPopulation("out", (3,), np.zeros(3, np.float32))
    weights = np.full((3, 4), 0.5, np.float32)
    graph = FloatNetwork(
        "in", (4,), 1, (neurons,), (FloatProjection("fc", "in", "out", "dense", weights),), "out"
    )
    assert [each.node for each in check_compatibility(graph).diagnostics] == ["out"]
    broken = FloatProjection("fc", "in", "out", "dense", weights * np.nan)
    (unsupported,) = check_compatibility(
        FloatNetwork("in", (4,), 1, (neurons,), (broken,), "out")
    ).unsupported
    assert "12 of 12 values are NaN or infinite" in unsupported.reason


def test_report_is_json(tmp_path: Path) -> None:
    document = json.loads(json.dumps(check_compatibility(write_file(tmp_path, ".net")).to_dict()))
    assert document["model"] == "a.net" and document["supported_percent"] == 100.0
    assert document["diagnostics"][1]["node"] == "dense1"
    assert set(document["diagnostics"][1]) == {
        "node",
        "kind",
        "support",
        "conversion",
        "reason",
        "remedy",
    }


def test_bad_file_is_an_error_in_one_line(tmp_path: Path) -> None:
    for name, text in (
        ("a.net", "a.net: no such file"),
        ("a.txt", "a.txt: is none of .net, .nir and .pumice"),
        ("b.nir", r"b.nir: is not a complete HDF5 file \([^\n]*\)$"),
    ):
        (tmp_path / "a.txt").touch()
        (tmp_path / "b.nir").write_bytes(b"no")
        with pytest.raises(FileError, match=text):
            check_compatibility(tmp_path / name)
