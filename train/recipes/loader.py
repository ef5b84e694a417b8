"""Recipes by file or by name: the one loader of training, pretraining and HRSNN recipes."""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from ...runtime.config import load_config
from ...runtime.errors import RecipeError

if TYPE_CHECKING:
    from ..hrsnn.recipe import HrsnnRecipe
    from ..ssl.recipe import PretrainRecipe
    from .recipe import Recipe

Kind = Literal["training", "pretraining", "hrsnn"]
Name = str | os.PathLike[str]


@dataclass(frozen=True)
class RecipeKind:
    """The package that holds the shipped TOML files of a kind, and "module:class" of its model."""

    package: str
    model: str


KINDS: dict[Kind, RecipeKind] = {
    "training": RecipeKind("pumice.train.recipes", "pumice.train.recipes.recipe:Recipe"),
    "pretraining": RecipeKind(
        "pumice.train.recipes.pretraining", "pumice.train.ssl.recipe:PretrainRecipe"
    ),
    "hrsnn": RecipeKind("pumice.train.recipes.hrsnn", "pumice.train.hrsnn.recipe:HrsnnRecipe"),
}


def list_recipes(kind: Kind = "training") -> list[str]:
    """Names of the recipes of a kind that ship with pumice."""
    files = resources.files(KINDS[kind].package).iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


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
    module, _, attribute = KINDS[kind].model.partition(":")
    model = getattr(importlib.import_module(module), attribute)
    path = Path(text)
    if text in shipped and not path.exists():
        with resources.as_file(resources.files(KINDS[kind].package) / f"{text}.toml") as file:
            return load_config(model, file, overrides)
    if not path.is_file():
        raise RecipeError(
            f"{text}: no such file or shipped {kind} recipe; shipped are {', '.join(shipped)}"
        )
    return load_config(model, path, overrides)
