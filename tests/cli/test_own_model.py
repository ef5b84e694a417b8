"""Own networks and losses by a recipe: trained, read without their code, converted, verified."""

from pathlib import Path

import pytest
from command import pumice

CODE = """
import torch

import pumice as pm


class Residual(torch.nn.Module):
    def __init__(self, input_shape, classes, width=4):
        super().__init__()
        self.stem = pm.nn.Conv(input_shape[0], width, stride=2)
        self.block = pm.nn.Conv(width, width, recurrent=True, shortcuts=1)
        self.readout = pm.nn.Readout(width, classes, pool=0)

    def forward(self, events):
        x = self.stem(events)
        return self.readout(self.block(x, x) + x)


class Foreign(torch.nn.Module):
    def __init__(self, input_shape, classes):
        super().__init__()
        self.linear = torch.nn.Linear(3, classes)


class Wrong(Residual):
    def __init__(self, input_shape, classes):
        super().__init__(input_shape, classes + 1)


def function(input_shape, classes):
    return Residual(input_shape, classes)


def smooth(logits, labels, smoothing):
    mean = logits.mean(dim=0)
    return torch.nn.functional.cross_entropy(mean, labels, label_smoothing=smoothing)
"""
RECIPE = """
[data]
name = "digits-events"
timesteps = 3
[network]
name = "custom"
type = "own.py:Residual"
options = { width = 5 }
[loss.custom]
function = "own.py:smooth"
options = { smoothing = 0.1 }
[training]
epochs = 2
qat_epochs = 1
"""


def test_an_own_module_is_trained_converted_and_verified_by_recipe(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(CODE)
    recipe, run = tmp_path / "own.toml", tmp_path / "run"
    recipe.write_text(RECIPE)
    trained = pumice("train", recipe, "-o", run, "--json")
    assert trained.status == 0, trained.err
    record = trained.document["provenance"]["network"]
    assert len(record["code_sha256"]) == 64
    assert [layer["name"] for layer in record["layers"]["layers"]] == ["stem", "block", "readout"]
    (tmp_path / "own.py").unlink()  # nothing below may execute it
    network = run / "network.pumice"
    assert pumice("convert", run).status == 0
    verified = pumice("verify", network, "--samples", 2, "--engines", "reference,cpu")
    assert verified.status == 0, verified.err
    integers = trained.document["test"]["integer_accuracy"]
    assert pumice("evaluate", run, "--quantized", "--json").document["accuracy"] == integers
    assert pumice("run", network, "--json").document["accuracy"] == integers


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.py:Residual", "absent.py: no such file"),
        ("own.py:Absent", "has no 'Absent'"),
        ("own.py:Foreign", "calls no layer of pumice.nn"),
        ("own.py:function", "is function, needs a class of torch.nn.Module"),
        ("own.py:Wrong", "its read-out has 11 classes, the data 10"),
        ("os:system", "needs a class of torch.nn.Module"),
    ],
)
def test_code_that_is_no_network_is_an_error(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "own.py").write_text(CODE)
    recipe = tmp_path / "own.toml"
    recipe.write_text(RECIPE.replace("options = { width = 5 }", ""))
    result = pumice("train", recipe, "--set", f"network.type={name}", "-o", tmp_path / "run")
    if name.startswith("own.py"):
        result = pumice(
            "train", recipe, "--set", f"network.type={tmp_path}/{name}", "-o", tmp_path / "run"
        )
    assert result.status == 2 and message in result.err
    assert result.err.count("\n") == 1


def test_a_list_of_layers_is_trained_and_converted_by_recipe(tmp_path: Path) -> None:
    recipe = tmp_path / "layers.toml"
    recipe.write_text(
        '[data]\nname = "digits-events"\ntimesteps = 3\n[training]\nepochs = 2\nqat_epochs = 1\n'
        '[[network.layers]]\nkind = "conv"\nchannels = 4\nstride = 2\nlearn = ["threshold"]\n'
        '[[network.layers]]\nkind = "dense"\nneurons = 12\ndelays = [0, 1]\nrecurrent = true\n'
    )
    run = tmp_path / "run"
    trained = pumice("train", recipe, "-o", run, "--json")
    assert trained.status == 0, trained.err
    assert pumice("convert", run).status == 0
    accuracy = pumice("run", run / "network.pumice", "--json").document["accuracy"]
    assert accuracy == trained.document["test"]["integer_accuracy"]
