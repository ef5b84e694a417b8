import tomllib
from pathlib import Path

import pytest
from command import pumice

from pumice.cli import recipes
from pumice.train.recipes.loader import KINDS, list_recipes, load_recipe


def test_the_kinds_are_those_of_the_library() -> None:
    assert list(recipes.VERBS) == list(KINDS)


@pytest.mark.parametrize("verb", ["recipes", "datasets", "models", "targets"])
def test_a_list_fits_60_columns(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    result = pumice(verb)
    assert result.status == 0
    assert max(map(len, result.out.splitlines()[:-1])) <= 60


def test_all_recipes_are_listed() -> None:
    document = pumice("recipes", "--json").document["recipes"]
    assert {kind: list(names) for kind, names in document.items()} == {
        kind: list_recipes(kind) for kind in KINDS
    }


def test_a_shown_recipe_can_be_used_as_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(pumice("recipes", "digits-events").out)
    assert load_recipe(path) == load_recipe("digits-events")
    assert pumice("recipes", path).status == 0


def test_the_kind_of_a_recipe_is_found_or_chosen() -> None:
    assert "[prednext]" in pumice("recipes", "digit-motions").out
    assert "[hrsnn]" in pumice("recipes", "digit-motions", "--kind", "hrsnn").out
    keys = pumice("recipes", "digits-events", "--json").document["keys"]
    assert {"table", "key", "type", "default", "meaning"} <= keys[0].keys()


def test_datasets_and_models_are_shown_with_their_keys() -> None:
    assert tomllib.loads(pumice("datasets", "nmnist").out)["data"]["name"] == "nmnist"
    assert tomllib.loads(pumice("models", "vgg9").out)["network"]["width"] == 64
    assert pumice("datasets", "nmnist", "--json").document["needs_folder"] is True
    assert pumice("models", "vgg9", "--json").document["keys"][1]["default"] == 64
    assert set(pumice("models", "--json").document["models"]) > {"conv", "vgg9"}
    assert "nmnist" in pumice("datasets", "--json").document["datasets"]


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("recipes",), "training"),
        (("recipes", "digit-motions"), "prednext"),
        (("datasets",), "timesteps"),
        (("models", "vgg9"), "width"),
    ],
)
def test_a_json_schema_is_printed(arguments: tuple[str, ...], key: str) -> None:
    assert key in pumice(*arguments, "--schema").document["properties"]


def test_the_schema_of_all_models_lists_them() -> None:
    assert "VGGOptions" in pumice("models", "--schema").document["$defs"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("recipes", "digit-event"), "did you mean 'digits-events'"),
        (("datasets", "mnist"), "did you mean 'nmnist'"),
        (("models", "sew"), "did you mean 'sew_resnet18'"),
    ],
)
def test_an_unknown_name_is_an_error_with_the_nearest(
    arguments: tuple[str, ...], hint: str
) -> None:
    result = pumice(*arguments)
    assert result.status == 2 and hint in result.err and result.err.count("\n") == 1
