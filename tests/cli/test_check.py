import json
import subprocess
import sys
from pathlib import Path

import h5py
import pytest
from command import NETWORK, pumice
from damage import damaged
from lavadl import slayer

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


def test_every_node_of_a_model_is_told_with_a_percentage(layers: Path) -> None:
    result = pumice("check", f"{layers}:net", "--input-shape", "2,6,6", "--json")
    told = {finding["node"]: finding["support"] for finding in result.document["diagnostics"]}
    assert told == {
        "conv2d0": "exact", "ifnode1": "approximate", "flatten2": "exact", "linear3": "exact",
        "output": "approximate",
    }  # fmt: skip
    assert (result.status, result.document["supported_percent"]) == (0, 100.0)


def test_a_refusal_says_why_and_what_to_change_and_is_status_1(layers: Path) -> None:
    result = pumice("check", f"{layers}:soft", "--input-shape", "4")
    assert result.status == 1 and result.err == ""
    assert "SoftNode is no layer that can be carried over" in result.out
    assert result.out.endswith(f"{layers}:soft: 50 % can be carried over, 1 refused\n")


def test_files_of_every_kind_are_taken(network: Path) -> None:
    write_nir(network.with_suffix(".nir"), NETWORK)
    write_netx(network.with_suffix(".net"), NETWORK)
    for suffix in (".pumice", ".nir", ".net"):
        result = pumice("check", network.with_suffix(suffix), "--json")
        assert {f["support"] for f in result.document["diagnostics"]} == {"exact"}


def test_a_layer_of_a_file_is_refused_by_its_name(network: Path) -> None:
    path = network.with_suffix(".net")
    write_netx(path, NETWORK)
    with h5py.File(path, "a") as file:
        del file["layer/1/neuron/type"]
        file["layer/1/neuron/type"] = "RF_PHASE"
    result = pumice("check", path)
    assert result.status == 1 and "RF_PHASE" in result.out and "use CUBA neurons" in result.out


def test_a_target_that_cannot_hold_it_refuses(network: Path, tmp_path: Path) -> None:
    assert pumice("check", network, "--target", "loihi1").status == 0
    result = pumice("check", network, "--target", "cmos45", "--json")
    assert result.status == 1
    assert result.document["diagnostics"][-1]["node"] == "target"


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("{}:net", "status 1"),
        ("{}:broken", "ValueError: weights are"),
        ("{}:nothing", "has no 'nothing'"),
        ("absent.py:net", "absent.py: no such file"),
        ("no.such.package:net", "ModuleNotFoundError: No module named 'no'"),
        ("absent.net", "absent.net: no such file"),
        ("{}", "is none of .net, .nir and .pumice"),
    ],
)
def test_what_is_no_model_is_one_line(layers: Path, model: str, said: str) -> None:
    result = pumice("check", model.format(layers))
    if said == "status 1":  # the shape it is fed is all that is missing
        assert result.status == 1 and "nothing of its shape" in " ".join(result.out.split())
    else:
        assert result.status == 2 and said in result.err and result.err.count("\n") == 1


def test_a_shape_that_is_none_is_one_line(layers: Path) -> None:
    result = pumice("check", f"{layers}:net", "--input-shape", "2,x,6")
    assert result.status == 2 and "needs one number of neurons, or channels" in result.err


def said_of_damaged(path: Path, how: str, count: int) -> list[str]:
    """What is said of damaged copies of a file that are refused; the others are as they were."""
    said = []
    for content in damaged(path.read_bytes(), how, count):
        broken = path.with_name(f"broken{path.suffix}")
        broken.write_bytes(content)
        result = pumice("check", broken, "--dt", "0.001")
        assert result.err.count("\n") == (result.status == 2) and "Traceback" not in result.err
        if result.status == 2:
            said.append(result.err)
    return said


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
def test_damaged_files_are_one_line_and_no_traceback(
    network: Path, suffix: str, how: str, count: int
) -> None:
    path = network.with_name(f"whole{suffix}")
    {".net": write_netx, ".nir": write_nir, ".pumice": write_network}[suffix](path, NETWORK)
    said = said_of_damaged(path, how, count)
    assert len(said) == count if how == "cut" else said


BLOCKS = """
import torch
from lava.lib.dl import slayer

def blocks():
    neuron = {"threshold": 1.25, "current_decay": 0.25, "voltage_decay": 0.03}
    made = [slayer.block.cuba.Dense(neuron, 12, 8), slayer.block.rf.Dense(RF, 8, 4)]
    values = torch.ones(1, 12, 5)
    for block in made:
        values = block(values)
    return made

RF = {"threshold": 1.0, "period": 5, "decay": 0.1}
"""


@pytest.mark.lava
def test_a_file_that_imports_lava_dl_is_helped_to(tmp_path: Path) -> None:
    slayer()
    path = tmp_path / "blocks.py"
    path.write_text(BLOCKS)
    command = str(Path(sys.executable).with_name("pumice")), "check", f"{path}:blocks", "--json"
    done = subprocess.run(command, capture_output=True, text=True)
    told = {f["node"]: (f["support"], f["reason"]) for f in json.loads(done.stdout)["diagnostics"]}
    assert done.returncode == 1 and told["dense0"][0] == "exact"
    assert told["dense1"] == ("unsupported", "has complex weights of resonators")
