from pathlib import Path

import pytest
from command import EVENTS, NETWORK, pumice

from pumice.convert.netx_write import write_netx
from pumice.convert.nir import write_nir
from pumice.runtime import network_digest, read_network
from pumice.runtime.engines.reference import run

LAYERS = """
from torch import nn

class IFNode(nn.Module):
    v_threshold, v_reset = 1.0, 0.0

net = nn.Sequential(nn.Flatten(), nn.Linear(72, 9), IFNode(), nn.Linear(9, 4))
"""


@pytest.mark.parametrize("suffix", [".nir", ".net"])
def test_a_file_of_another_library_becomes_the_same_spikes(network: Path, suffix: str) -> None:
    path = network.with_name(f"other{suffix}")
    (write_nir if suffix == ".nir" else write_netx)(path, NETWORK)
    assert pumice("convert", path).status == 0
    again = read_network(path.with_suffix(".pumice"))
    ours, theirs = run(NETWORK, EVENTS), run(again, EVENTS)
    assert (ours.voltages["out"] == theirs.voltages[again.output]).all()


def test_layers_in_memory_are_rounded_and_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text(LAYERS)
    path = tmp_path / "made.pumice"
    arguments = f"{tmp_path / 'layers.py'}:net", "--input-shape", "2,6,6", "-o", path
    told = pumice("convert", *arguments, "--json").document
    network = read_network(path)
    assert told["network"] == network_digest(network)
    assert [part["name"] for part in told["rounded"]] == ["input-ifnode2", "ifnode2-output"]
    assert run(network, EVENTS).voltages["output"].any()


def test_a_network_in_integers_is_not_converted_again(network: Path) -> None:
    answer = pumice("convert", network)
    assert answer.status == 2 and "is a network in integers already" in answer.err


def test_a_node_that_cannot_be_carried_over_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text("from torch import nn\nnet = [nn.GRU(3, 2)]\n")
    answer = pumice("convert", f"{tmp_path / 'layers.py'}:net", "--input-shape", "3")
    assert answer.status == 2 and "GRU is no layer that can be carried over" in answer.err
