from pathlib import Path

import pytest
from command import EVENTS, NETWORK, pumice

from pumice.convert.formats.netx.writer import write_netx
from pumice.convert.formats.nir.files import write_nir
from pumice.deploy.placement.synaptic_memory import weight_bits
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
    result = pumice("convert", network)
    assert result.status == 2 and "is a network in integers already" in result.err


def test_a_node_that_cannot_be_carried_over_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text("from torch import nn\nnet = [nn.GRU(3, 2)]\n")
    result = pumice("convert", f"{tmp_path / 'layers.py'}:net", "--input-shape", "3")
    assert result.status == 2 and "GRU is no layer that can be carried over" in result.err


def test_few_bits_are_calibrated_on_events_and_told_of(tmp_path: Path, events: Path) -> None:
    (tmp_path / "layers.py").write_text(LAYERS)
    path = tmp_path / "made.pumice"
    arguments = f"{tmp_path / 'layers.py'}:net", "--input-shape", "2,6,6", "-o", path
    search = "--weight-bits", "5", "--per-channel", "--calibrate", "--events", events
    told = pumice("convert", *arguments, *search, "--json").document
    assert [layer["bits"] for layer in told["calibrated"]] == [5, 5]
    assert told["samples"] == 7
    network = read_network(path)
    assert all(weight_bits(p.connection) <= 5 for p in network.projections)
    assert network.population("ifnode2").threshold.size == 9
    said = pumice("convert", *arguments, *search, "--mixed-precision", "0.3")
    assert said.status == 0 and "bits by population" in said.out


def test_what_holds_integers_is_not_rounded_again(network: Path) -> None:
    path = network.with_suffix(".net")
    write_netx(path, NETWORK)
    result = pumice("convert", path, "--weight-bits", "4")
    assert result.status == 2 and "holds integers, which nothing rounds" in result.err


def test_training_samples_of_a_run_are_searched_on(tmp_path: Path, bars: None) -> None:
    recipe = tmp_path / "bars.toml"
    recipe.write_text(
        "[data]\ntimesteps = 4\n[network]\nchannels = [3]\nkernels = [3]\nstrides = [2]\n"
        "hidden = [8]\n[training]\nepochs = 1\nqat_epochs = 0\nbatch_size = 8\n"
    )
    assert pumice("train", recipe, "-o", tmp_path / "run").status == 0
    told = pumice("convert", tmp_path / "run", "--calibrate", "--samples", "12", "--json").document
    assert (told["samples"], len(told["calibrated"])) == (12, 3)
    assert pumice("check", tmp_path / "run").status == 0
