"""The recipe: everything that decides what a training run gives, in one TOML file."""

from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..runtime.errors import RecipeError
from ..runtime.settings import read_settings
from .architectures import ConvOptions, NetworkOptions
from .data.options import DataOptions
from .objectives.catalogue import ObjectiveOptions


class AugmentOptions(BaseModel):
    """How training clips are varied; one draw a clip, the same for all its time steps.

    `shift` moves it by up to so many pixels along each axis, with zeros at the edge.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shift: int = Field(default=0, ge=0)


class FitOptions(BaseModel):
    """How weights are found: AdamW, a learning rate that rises and falls once (one cycle).

    For the last `quantised_epochs` batch norm is frozen and folded, and the network trains as the
    integers it will be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: int = Field(default=20, ge=1)
    quantised_epochs: int = Field(default=7, ge=0)
    batch: int = Field(default=32, ge=2)
    learning_rate: float = Field(default=4e-3, gt=0)
    weight_decay: float = Field(default=1e-2, ge=0)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _within(self) -> "FitOptions":
        if self.quantised_epochs > self.epochs:
            raise ValueError(
                f"quantised_epochs is {self.quantised_epochs}, but there are {self.epochs} epochs"
            )
        return self


class Recipe(BaseModel):
    """A training run: data, network, objectives, augmentation and fit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: DataOptions
    network: NetworkOptions = ConvOptions()
    objective: ObjectiveOptions = ObjectiveOptions()
    augment: AugmentOptions = AugmentOptions()
    fit: FitOptions = FitOptions()


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
