from pathlib import Path
from typing import Any

import pytest

from pumice.runtime.errors import PumiceError
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


@pytest.mark.parametrize("name", MODEL_OPTIONS.keys() - {"slayer"})
def test_the_bound_is_below_the_number_of_weights(name: str) -> None:
    table: dict[str, Any] = {"name": name}
    if name != "conv":
        table["width"] = 4
    options: Any = MODEL_OPTIONS[name].model_validate(table)
    network = build_model(options, (1, 32, 32), 2)
    weights = sum(parameter.numel() for parameter in network.parameters())
    assert 0 < min_weights(options) <= weights
