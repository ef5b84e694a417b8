"""The recipe: everything that decides what a training run gives, in one TOML file."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from ..runtime.errors import RecipeError
from ..runtime.settings import read_settings
from .architectures import ConvOptions, NetworkOptions
from .data.options import DataOptions
from .fit_options import AugmentOptions, DeviceOptions, FitOptions
from .objectives.catalogue import ObjectiveOptions


class Recipe(BaseModel):
    """A training run: data, network, objectives, augmentation, fit and devices."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: DataOptions
    network: NetworkOptions = ConvOptions()
    objective: ObjectiveOptions = ObjectiveOptions()
    augment: AugmentOptions = AugmentOptions()
    fit: FitOptions = FitOptions()
    devices: DeviceOptions = DeviceOptions()

    @model_validator(mode="after")
    def _labelled(self) -> "Recipe":
        if not self.data.labels:
            for name in self.objective.labelled:
                raise ValueError(f"objective.{name} needs labels, but data.labels is false")
        return self


def shipped_recipes() -> list[str]:
    """Return the names of the recipes that come with pumice."""
    folder = resources.files("pumice.train.recipes")
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def read_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """Return the recipe in the TOML file `name`, or the shipped one of that name.

    `changes` are settings such as `fit.epochs=3`, applied before checking. Raises `RecipeError`.
    """
    path = Path(name)
    if name in shipped_recipes() and not path.exists():
        with resources.as_file(resources.files("pumice.train.recipes") / f"{name}.toml") as path:
            return read_settings(Recipe, path, changes)
    if not path.is_file():
        raise RecipeError(
            f"{name}: no such file or shipped recipe; shipped are {', '.join(shipped_recipes())}"
        )
    return read_settings(Recipe, path, changes)
