"""Recipes by file or by name: the one loader of training, pretraining and HRSNN recipes."""

import importlib
import os
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from ...runtime.config import load_config
from ...runtime.errors import RecipeError
from ...runtime.suggest import suggest
from ..engine.run_folder import RECIPE_FILE

if TYPE_CHECKING:
    from ..hrsnn.recipe import HrsnnRecipe
    from ..ssl.recipe import PretrainRecipe
    from .recipe import Recipe

Kind = Literal["training", "pretraining", "hrsnn"]
Name = str | os.PathLike[str]


@dataclass(frozen=True)
class RecipeKind:
    """A kind of recipe.

    Attributes:
        package: Package that holds the shipped TOML files.
        model: Model of a recipe, "module:class".
        verb: Verb of the command line that takes it.
    """

    package: str
    model: str
    verb: str


KINDS: dict[Kind, RecipeKind] = {
    "training": RecipeKind("pumice.train.recipes", "pumice.train.recipes.recipe:Recipe", "train"),
    "pretraining": RecipeKind(
        "pumice.train.recipes.pretraining", "pumice.train.ssl.recipe:PretrainRecipe", "pretrain"
    ),
    "hrsnn": RecipeKind(
        "pumice.train.recipes.hrsnn", "pumice.train.hrsnn.recipe:HrsnnRecipe", "train-hrsnn"
    ),
}


KEY_TABLES: dict[str, Kind] = {"objective": "pretraining", "hrsnn": "hrsnn"}  # of one kind alone


def list_recipes(kind: Kind = "training") -> list[str]:
    """Names of the recipes of a kind that ship with pumice."""
    files = resources.files(KINDS[kind].package).iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def find_recipe_kind(name: str) -> Kind:
    """Kind of the shipped recipe of that name; of several, the first in `KINDS`.

    Raises `RecipeError` with the nearest known name.
    """
    for kind in KINDS:
        if name in list_recipes(kind):
            return kind
    known = list(dict.fromkeys(each for kind in KINDS for each in list_recipes(kind)))
    raise RecipeError(f"no shipped recipe {name!r}; {suggest(name, known)}")


def describe_recipe(name: str, kind: Kind) -> str:
    """Description of a shipped recipe: the first sentence of its comment."""
    text = (resources.files(KINDS[kind].package) / f"{name}.toml").read_text(encoding="utf-8")
    lines = takewhile(lambda line: line.startswith("#"), text.splitlines())
    comment = " ".join(line.removeprefix("# ") for line in lines)
    return re.split(r"[.:;] ", comment)[0].rstrip(".")


def recipe_schema(kind: Kind) -> dict[str, Any]:
    """JSON schema of the recipes of a kind, by which editors complete and check TOML files."""
    schema: dict[str, Any] = _recipe_model(kind).model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _recipe_model(kind: Kind) -> Any:
    module, _, attribute = KINDS[kind].model.partition(":")
    return getattr(importlib.import_module(module), attribute)


@overload
def load_recipe(
    name: Name, overrides: Sequence[str] = (), *, kind: Literal["training"] = "training"
) -> "Recipe": ...
@overload
def load_recipe(
    name: Name, overrides: Sequence[str] = (), *, kind: Literal["pretraining"]
) -> "PretrainRecipe": ...
@overload
def load_recipe(
    name: Name, overrides: Sequence[str] = (), *, kind: Literal["hrsnn"]
) -> "HrsnnRecipe": ...
def load_recipe(name: Name, overrides: Sequence[str] = (), *, kind: Kind = "training") -> Any:
    """Load a recipe from a TOML file, or the shipped recipe of that name.

    Args:
        name: Path of a TOML file, or the name of a shipped recipe; a file of that name wins.
        overrides: Settings such as "training.epochs=3", applied before validation.
        kind: "training", "pretraining" (self-supervised) or "hrsnn".

    Raises:
        RecipeError: There is no such recipe, a key is unknown or a value is out of range; names
            the file, the line, the key and the nearest known key.
    """
    text, shipped = os.fspath(name), list_recipes(kind)
    model = _recipe_model(kind)
    path = Path(text)
    if text in shipped and not path.exists():
        with resources.as_file(resources.files(KINDS[kind].package) / f"{text}.toml") as file:
            return load_config(model, file, overrides, text)
    if path.is_dir():
        known = (path / RECIPE_FILE).is_file()
        remedy = "the folder of a run; resume it with --resume" if known else "a folder"
        raise RecipeError(f"{text}: is {remedy}; name a recipe or a TOML file to train anew")
    for other, place in KINDS.items():
        if text in list_recipes(other) and not path.exists():
            raise RecipeError(f"{text}: is a recipe of 'pumice {place.verb}', not of {kind}")
    if not path.is_file():
        raise RecipeError(
            f"{text}: no such file or shipped {kind} recipe; {suggest(text, shipped)} (see "
            "'pumice recipes')"
        )
    return _find_code(load_config(model, path, overrides), path.parent)


def load_any_recipe(name: Name, overrides: Sequence[str] = ()) -> Any:
    """Load a recipe whose kind its tables tell, of a file, or its name, of a shipped recipe.

    Raises as `load_recipe`.
    """
    path = Path(name)
    kind: Kind = "training"
    if path.is_file():
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            tables = {}  # the error is told below
        for table, of_kind in KEY_TABLES.items():
            if table in tables:
                kind = of_kind
    else:
        kind = find_recipe_kind(os.fspath(name))
    return load_recipe(name, overrides, kind=kind)


def _find_code(recipe: Any, folder: Path) -> Any:
    """Complete the paths of the user's code that are relative to the recipe's folder."""

    def complete(name: str) -> str:
        file, colon, attribute = name.rpartition(":")
        beside = folder / file
        if not colon or not file.endswith(".py") or Path(file).exists() or not beside.is_file():
            return name
        return f"{beside}:{attribute}"

    if getattr(recipe.network if hasattr(recipe, "network") else None, "name", "") == "custom":
        network = recipe.network.model_copy(update={"type": complete(recipe.network.type)})
        recipe = recipe.model_copy(update={"network": network})
    custom = getattr(getattr(recipe, "loss", None), "custom", None)
    if custom is not None:
        custom = custom.model_copy(update={"function": complete(custom.function)})
        loss = recipe.loss.model_copy(update={"custom": custom})
        recipe = recipe.model_copy(update={"loss": loss})
    return recipe
