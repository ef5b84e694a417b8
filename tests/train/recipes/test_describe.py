import tomllib
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from pumice.train.data.catalog import DATASETS
from pumice.train.data.registry import LOADERS
from pumice.train.models.options import MODEL_OPTIONS
from pumice.train.models.registry import MODELS
from pumice.train.recipes.describe import iter_keys, to_commented_toml
from pumice.train.recipes.loader import (
    KINDS,
    Kind,
    describe_recipe,
    list_recipes,
    load_recipe,
    recipe_schema,
)

SHIPPED: list[tuple[Kind, str]] = [(kind, name) for kind in KINDS for name in list_recipes(kind)]


def tables_of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [schema, *schema["$defs"].values()]


@pytest.mark.parametrize("kind", KINDS)
def test_every_key_of_a_schema_has_a_description(kind: Kind) -> None:
    missing = [
        f"{table['title']}.{key}"
        for table in tables_of(recipe_schema(kind))
        for key, value in table.get("properties", {}).items()
        if not value.get("description")
    ]
    assert missing == []


@pytest.mark.parametrize(("kind", "name"), SHIPPED)
def test_a_described_recipe_reads_back_as_itself(kind: Any, name: str, tmp_path: Path) -> None:
    recipe: BaseModel = load_recipe(name, kind=kind)
    path = tmp_path / "described.toml"
    path.write_text(to_commented_toml(recipe))
    assert load_recipe(path, kind=kind) == recipe
    assert describe_recipe(name, kind)


def test_the_lines_of_a_described_recipe_fit_60_columns() -> None:
    text = to_commented_toml(load_recipe("digits-events"))
    assert max(map(len, text.splitlines())) <= 60


def test_a_key_has_its_value_default_and_meaning() -> None:
    recipe = load_recipe("digits-events")
    keys = {f"{key.table}.{key.key}": key for key in iter_keys(type(recipe), recipe)}
    epochs = keys["training.epochs"]
    assert (epochs.value, epochs.default, epochs.type) == (18, 20, "integer at least 1")
    assert epochs.meaning == "passes over the training samples"
    assert keys["network.neuron.weight_bits"].type == "integer from 4 to 8"
    assert keys["loss.tet.weight"].value == 1.0


def test_a_table_that_a_recipe_leaves_out_is_a_comment() -> None:
    text = to_commented_toml(load_recipe("digits-events"))
    assert "# [loss.tet]  (left out)" in text
    assert set(tomllib.loads(text)["loss"]) == {"cross_entropy", "prefix_distillation"}


def test_a_list_of_layers_reads_back_as_itself_and_names_every_kind(tmp_path: Path) -> None:
    layers = (
        '[{kind="conv",channels=4,kernel=[3,5],learn=["threshold"]},{kind="conv",channels=8,'
        'shortcuts=["conv1"]},{kind="dense",neurons=6,delays=[0,1]},{kind="readout",pool=0}]'
    )
    recipe = load_recipe("digits-events", [f'network={{name="layers",layers={layers}}}'])
    text = to_commented_toml(recipe)
    path = tmp_path / "described.toml"
    path.write_text(text)
    assert load_recipe(path) == recipe
    assert text.count("\n[[network.layers]]\n") == 4
    assert text.count("# [[network.layers]]  (left out)") == 4  # conv1d, max_pool, or, iand
    keys = {(key.table, key.key): key for key in iter_keys(type(recipe), recipe)}
    assert keys["network.layers[0]", "kernel"].value == [3, 5]
    assert keys["network.layers[max_pool]", "kernel"].default == 2


def test_the_lists_of_names_are_those_of_the_registries() -> None:
    assert list(DATASETS) == list(LOADERS)
    assert list(MODEL_OPTIONS) == [*MODELS, "custom"]
