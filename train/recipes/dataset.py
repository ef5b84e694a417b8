"""Load the dataset that a training recipe names."""

import os
from typing import Any

from .. import data
from ..data import Dataset
from .recipe import Recipe


def load_recipe_dataset(recipe: Recipe, folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Load the dataset of `recipe`, from `folder` if it is given.

    Raises:
        DataError: Files are missing or damaged, or a remembered folder was moved.
    """
    options: dict[str, Any] = recipe.data.model_dump()
    return data.load(**{**options, "folder": folder or options["folder"]})
