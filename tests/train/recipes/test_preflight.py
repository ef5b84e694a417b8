from pathlib import Path
from typing import Any

import pytest
import torch

from pumice.runtime.errors import PumiceError
from pumice.train.data.catalog import known_shape
from pumice.train.data.options import DataOptions
from pumice.train.data.registry import load
from pumice.train.models import build_model
from pumice.train.models.options import MODEL_OPTIONS
from pumice.train.recipes.loader import list_recipes, load_recipe
from pumice.train.recipes.preflight import check_training, min_weights


@pytest.mark.parametrize("name", list_recipes())
def test_a_shipped_recipe_passes(name: str, tmp_path: Path) -> None:
    check_training(load_recipe(name), tmp_path)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.name=nmist", "no dataset 'nmist'; did you mean 'nmnist'"),
        ("data.name=nmnist", "nmnist: needs the folder of its files; give --folder"),
        (
            "data.folder=/absent/folder",
            "digits-events: no folder /absent/folder; give",
        ),
        ("network.hidden=[1000000,1000000]", "its weights need at least 16,000 GB in training"),
        ("data.timesteps=1000000000", "its activations need at least"),
        ("data.size=10000000", "its activations need at least"),
    ],
)
def test_an_impossible_recipe_is_rejected(override: str, message: str) -> None:
    recipe = load_recipe("digits-events", [override])
    with pytest.raises(PumiceError, match=message):
        check_training(recipe)


LAYERS = 'network={name="layers",layers=[%s]}'


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            '{kind="dense",neurons=8},{kind="conv",channels=2}',
            r"conv2: takes \(channels, height, width\), but gets \(8,\)",
        ),
        ('{kind="conv",channels=2,kernel=20,padding=0}', "a window of 20 pixels does not fit"),
        ('{kind="conv",channels=2,pool=3}', "pooling over 3 x 3 does not divide 16 x 16"),
        ('{kind="conv",channels=4,groups=4}', "4 groups do not divide 2 channels"),
        ('{kind="conv1d",channels=4}', "takes .* or .*, but gets"),
        (
            '{kind="conv",channels=2},{kind="conv",channels=3,shortcuts=["conv1"]}',
            "conv2: has shape .* but its shortcut conv1 has",
        ),
        ('{kind="dense",neurons=4000000000}', "its weights need at least"),
        ('{kind="conv",channels=4000000000}', "its activations need|its weights need"),
    ],
)
def test_impossible_layers_are_rejected_before_torch(layers: str, message: str) -> None:
    recipe = load_recipe("digits-events", [LAYERS % layers])
    with pytest.raises(PumiceError, match=message):
        check_training(recipe)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ('{kind="dense",neurons=8,sources=["b"]}', "dense1: reads 'b', which is no layer before"),
        ('{kind="readout"},{kind="dense",neurons=8}', "readout1: a read-out is the last layer"),
        ('{kind="dense",neurons=8,name="a"},{kind="or",name="a"}', "a: is named twice"),
        ('{kind="or"}', "or1: reads the spikes of 2 layers, but sources has 1"),
        ('{kind="dense",neurons=8,delays=[1,1]}', "needs different ones"),
        ('{kind="dense",neurons=8,name="input"}', 'not "input"'),
        ('{kind="conv",channels=3,groups=2}', "groups = 2 does not divide channels = 3"),
        ('{kind="conv",channels=3,recurrent_kernel=2}', "needs an odd number"),
        ('{kind="dense",neuron=8}', "neuron: unknown key; did you mean 'neurons'"),
    ],
)
def test_a_list_of_layers_is_validated(layers: str, message: str) -> None:
    with pytest.raises(PumiceError, match=message):
        load_recipe("digits-events", [LAYERS % layers])


@pytest.mark.parametrize("name", sorted(MODEL_OPTIONS.keys() - {"slayer", "custom", "layers"}))
def test_the_bound_is_below_the_number_of_weights(name: str) -> None:
    table: dict[str, Any] = {"name": name}
    if name != "conv":
        table["width"] = 4
    options: Any = MODEL_OPTIONS[name].model_validate(table)
    network = build_model(options, (1, 32, 32), 2)
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert 0 < min_weights(options) <= weights


def test_the_weights_of_layers_are_counted(tmp_path: Path) -> None:
    layers = (
        '{kind="conv",channels=4,kernel=[3,5],delays=[0,2]},'
        '{kind="conv",channels=8,groups=2,pool=2,recurrent=true},{kind="dense",neurons=6,pool=0,'
        "recurrent=true,delays=[1]}"
    )
    options = load_recipe("digits-events", [LAYERS % layers]).network
    network = build_model(options, (2, 16, 16), 3)
    weights = [p for name, p in network.named_parameters() if "weight" in name and p.dim() > 1]
    assert min_weights(options, (2, 16, 16)) == sum(map(torch.numel, weights)) - 2 * 6


@pytest.mark.parametrize("pool", [1, 2, 3])
def test_a_known_shape_is_that_of_the_dataset(pool: int) -> None:
    options = DataOptions(name="digits-events", pool=pool, timesteps=2)
    expected = load("digits-events", pool=pool, timesteps=2).input_shape if pool < 3 else None
    assert known_shape(options) == expected
