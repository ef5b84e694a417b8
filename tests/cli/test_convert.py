from pathlib import Path

import pytest
from command import EVENTS, NETWORK, pumice

from pumice.convert.formats.netx.writer import write_netx
from pumice.convert.formats.nir.files import write_nir
from pumice.deploy.placement.synaptic_memory import stored_weight_bits
from pumice.runtime import network_digest, read_network
from pumice.runtime.engines.reference import run

LAYERS = """
from torch import nn

class IFNode(nn.Module):
    v_threshold, v_reset = 1.0, 0.0

net = nn.Sequential(nn.Flatten(), nn.Linear(72, 9), IFNode(), nn.Linear(9, 4))
"""


@pytest.mark.parametrize("suffix", [".nir", ".net"])
def test_an_imported_file_gives_the_same_spikes(network: Path, suffix: str) -> None:
    path = network.with_name(f"other{suffix}")
    (write_nir if suffix == ".nir" else write_netx)(path, NETWORK)
    assert pumice("convert", path).status == 0
    again = read_network(path.with_suffix(".pumice"))
    ours, theirs = run(NETWORK, EVENTS), run(again, EVENTS)
    assert (ours.voltages["out"] == theirs.voltages[again.output]).all()


def test_torch_layers_are_quantized_and_the_errors_reported(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text(LAYERS)
    path = tmp_path / "converted.pumice"
    arguments = f"{tmp_path / 'layers.py'}:net", "--input-shape", "2,6,6", "-o", path
    document = pumice("convert", *arguments, "--json").document
    network = read_network(path)
    assert document["network"] == network_digest(network)
    assert [part["name"] for part in document["projections"]] == ["input-ifnode2", "ifnode2-output"]
    assert run(network, EVENTS).voltages["output"].any()


def test_an_integer_network_is_not_overwritten(network: Path) -> None:
    result = pumice("convert", network)
    assert result.status == 2 and "is already an integer network" in result.err


def test_an_unsupported_layer_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "layers.py").write_text("from torch import nn\nnet = [nn.GRU(3, 2)]\n")
    result = pumice("convert", f"{tmp_path / 'layers.py'}:net", "--input-shape", "3")
    assert result.status == 2 and "GRU is not a supported layer" in result.err


def test_clipping_ranges_are_calibrated_on_events(tmp_path: Path, events: Path) -> None:
    (tmp_path / "layers.py").write_text(LAYERS)
    path = tmp_path / "converted.pumice"
    arguments = f"{tmp_path / 'layers.py'}:net", "--input-shape", "2,6,6", "-o", path
    search = "--weight-bits", "5", "--per-channel", "--calibrate", "--events", events
    document = pumice("convert", *arguments, *search, "--json").document
    assert [layer["weight_bits"] for layer in document["calibration"]] == [5, 5]
    assert document["samples"] == 7
    network = read_network(path)
    assert all(stored_weight_bits(p.connection) <= 5 for p in network.projections)
    assert network.population("ifnode2").threshold.size == 9
    result = pumice("convert", *arguments, *search, "--mixed-precision", "0.3")
    assert result.status == 0 and "bits by population" in result.out


def test_a_file_of_integers_is_not_quantized_again(network: Path) -> None:
    path = network.with_suffix(".net")
    write_netx(path, NETWORK)
    result = pumice("convert", path, "--weight-bits", "4")
    assert result.status == 2 and "is in integers already; leave out weight bits" in result.err


def test_a_run_is_calibrated_on_its_training_samples(tmp_path: Path, bars: None) -> None:
    recipe = tmp_path / "bars.toml"
    recipe.write_text(
        "[data]\ntimesteps = 4\n[network]\nchannels = [3]\nkernels = [3]\nstrides = [2]\n"
        "hidden = [8]\n[training]\nepochs = 1\nqat_epochs = 0\nbatch_size = 8\n"
    )
    assert pumice("train", recipe, "-o", tmp_path / "run").status == 0
    options = ("--calibrate", "--samples", "12", "--json")
    document = pumice("convert", tmp_path / "run", *options).document
    assert (document["samples"], len(document["calibration"])) == (12, 3)
    assert pumice("check", tmp_path / "run").status == 0
