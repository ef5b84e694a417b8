import json
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from command import NETWORK, pumice
from damage import damage_file
from lavadl import require_slayer

from pumice.convert.formats.netx.writer import write_netx
from pumice.convert.formats.nir.files import write_nir
from pumice.runtime import write_network

LAYERS = """
from torch import nn

class IFNode(nn.Module):
    v_threshold, v_reset = 1.0, 0.0

class SoftNode(nn.Module):
    pass

net = nn.Sequential(nn.Conv2d(2, 3, 3), IFNode(), nn.Flatten(), nn.Linear(48, 4))

def soft():
    return [nn.Linear(4, 3), SoftNode()]

def broken():
    raise ValueError("weights are\\nlost")
"""


@pytest.fixture
def layers(tmp_path: Path) -> Path:
    path = tmp_path / "layers.py"
    path.write_text(LAYERS)
    return path


def test_every_layer_is_reported_with_the_supported_percentage(layers: Path) -> None:
    result = pumice("check", f"{layers}:net", "--input-shape", "2,6,6", "--json")
    support = {layer["node"]: layer["support"] for layer in result.document["diagnostics"]}
    assert support == {
        "conv2d0": "exact", "ifnode1": "approximate", "flatten2": "exact", "linear3": "exact",
        "output": "approximate",
    }  # fmt: skip
    assert (result.status, result.document["supported_percent"]) == (0, 100.0)


def test_an_unsupported_layer_is_reported_with_its_remedy_and_exit_code_1(layers: Path) -> None:
    result = pumice("check", f"{layers}:soft", "--input-shape", "4")
    assert result.status == 1 and result.err == ""
    assert "SoftNode" in result.out
    assert result.out.endswith(f"{layers}:soft: 50 % supported, 1 unsupported\n")


def test_all_file_formats_are_accepted(network: Path) -> None:
    write_nir(network.with_suffix(".nir"), NETWORK)
    write_netx(network.with_suffix(".net"), NETWORK)
    for suffix in (".pumice", ".nir", ".net"):
        result = pumice("check", network.with_suffix(suffix), "--json")
        assert {f["support"] for f in result.document["diagnostics"]} == {"exact"}


def test_an_unsupported_layer_of_a_file_is_named(network: Path) -> None:
    path = network.with_suffix(".net")
    write_netx(path, NETWORK)
    with h5py.File(path, "a") as file:
        del file["layer/1/neuron/type"]
        file["layer/1/neuron/type"] = "ADRF_PHASE"
    result = pumice("check", path)
    assert result.status == 1 and "ADRF_PHASE" in result.out and "CUBA" in result.out


def test_a_target_without_capacity_is_reported(network: Path, tmp_path: Path) -> None:
    assert pumice("check", network, "--target", "loihi1").status == 0
    result = pumice("check", network, "--target", "cmos45", "--json")
    assert result.status == 1
    assert result.document["diagnostics"][-1]["node"] == "target"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("{}:net", "status 1"),
        ("{}:broken", "ValueError: weights are"),
        ("{}:nothing", "has no 'nothing'"),
        ("absent.py:net", "absent.py: no such file"),
        ("no.such.package:net", "ModuleNotFoundError: No module named 'no'"),
        ("absent.net", "absent.net: no such file"),
        ("{}", "is none of .net, .nir, .pumice, .safetensors; name the module in it"),
    ],
)
def test_an_invalid_model_is_an_error_of_one_line(layers: Path, model: str, message: str) -> None:
    result = pumice("check", model.format(layers))
    if message == "status 1":  # only the input shape is missing
        assert result.status == 1 and "does not specify its shape" in " ".join(result.out.split())
    else:
        assert result.status == 2 and message in result.err and result.err.count("\n") == 1


def test_an_invalid_shape_is_an_error_of_one_line(layers: Path) -> None:
    result = pumice("check", f"{layers}:net", "--input-shape", "2,x,6")
    assert result.status == 2 and "needs one number of neurons, or channels" in result.err


def errors_of_damaged(path: Path, how: str, count: int) -> list[str]:
    """Check damaged copies of a file; return the errors of those that are rejected."""
    errors = []
    for content in damage_file(path.read_bytes(), how, count):
        broken = path.with_name(f"broken{path.suffix}")
        broken.write_bytes(content)
        result = pumice("check", broken, "--dt", "0.001")
        assert result.err.count("\n") == (result.status == 2) and "Traceback" not in result.err
        if result.status == 2:
            errors.append(result.err)
    return errors


@pytest.mark.parametrize("suffix", [".net", ".nir", ".pumice"])
@pytest.mark.parametrize(
    ("how", "count"),
    [
        ("cut", 4),
        ("altered", 4),
        pytest.param("cut", 200, marks=pytest.mark.slow),
        pytest.param("altered", 200, marks=pytest.mark.slow),
    ],
)
def test_a_damaged_file_is_an_error_of_one_line(
    network: Path, suffix: str, how: str, count: int
) -> None:
    path = network.with_name(f"whole{suffix}")
    {".net": write_netx, ".nir": write_nir, ".pumice": write_network}[suffix](path, NETWORK)
    errors = errors_of_damaged(path, how, count)
    assert len(errors) == count if how == "cut" else errors


BLOCKS = """
import torch
from lava.lib.dl import slayer

def blocks():
    neuron = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03}
    layers = [slayer.block.cuba.Dense(neuron, 12, 8), slayer.block.adrf.Dense(RF, 8, 4)]
    values = torch.ones(1, 12, 5)
    for block in layers:
        values = block(values)
    return layers

DECAYS = {"threshold_decay": 0.1, "refractory_decay": 0.1}
RF = {"threshold": 1.0, "threshold_step": 0.1, "period": 5, "decay": 0.1, **DECAYS}
"""


@pytest.mark.lava
def test_a_file_that_imports_lava_dl_can_be_checked(tmp_path: Path) -> None:
    require_slayer()
    path = tmp_path / "blocks.py"
    path.write_text(BLOCKS)
    command = str(Path(sys.executable).with_name("pumice")), "check", f"{path}:blocks", "--json"
    process = subprocess.run(command, capture_output=True, text=True)
    layers = json.loads(process.stdout)["diagnostics"]
    support = {layer["node"]: (layer["support"], layer["reason"]) for layer in layers}
    assert process.returncode == 1 and support["dense0"][0] == "exact"
    assert support["dense1"] == ("unsupported", "has complex weights, but ADRF_PHASE neurons")
