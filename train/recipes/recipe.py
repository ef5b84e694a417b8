"""The recipe: everything that decides what a training run gives, in one TOML file."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from ...runtime.config import load_config
from ...runtime.errors import RecipeError
from ..data.options import DataOptions
from ..engine.training_config import AugmentOptions, DeviceOptions, TrainingOptions
from ..losses.registry import LossOptions
from ..models import ConvOptions, NetworkOptions


class Recipe(BaseModel):
    """A training run: data, network, objectives, augmentation, fit and devices."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: DataOptions
    network: NetworkOptions = ConvOptions()
    loss: LossOptions = LossOptions()
    augment: AugmentOptions = AugmentOptions()
    training: TrainingOptions = TrainingOptions()
    devices: DeviceOptions = DeviceOptions()

    @model_validator(mode="after")
    def _check_labels(self) -> "Recipe":
        if not self.data.labels:
            for name in self.loss.supervised_losses:
                raise ValueError(f"loss.{name} needs labels, but data.labels is false")
        return self


def list_recipes() -> list[str]:
    """Return the names of the recipes that come with pumice."""
    folder = resources.files("pumice.train.recipes")
    return sorted(
        f.name.removesuffix(".toml") for f in folder.iterdir() if f.name.endswith(".toml")
    )


def load_recipe(name: str, changes: Sequence[str] = ()) -> Recipe:
    """Return the recipe in the TOML file `name`, or the shipped one of that name.

    `changes` are settings such as `training.epochs=3`, applied before checking. Raises `RecipeError`.
    """
    path = Path(name)
    if name in list_recipes() and not path.exists():
        with resources.as_file(resources.files("pumice.train.recipes") / f"{name}.toml") as path:
            return load_config(Recipe, path, changes)
    if not path.is_file():
        raise RecipeError(
            f"{name}: no such file or shipped recipe; shipped are {', '.join(list_recipes())}"
        )
    return load_config(Recipe, path, changes)
