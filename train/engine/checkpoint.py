"""The trained weights as a file: tensors beside the recipe that made them, no pickle."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ...runtime.config import validate
from ...runtime.errors import FileError
from ...runtime.files import atomic_write
from ..models import build_model
from ..nn.network import SpikingNetwork
from ..recipes.recipe import Recipe

MODEL_FILE = "model.safetensors"
RecipeT = TypeVar("RecipeT", bound=BaseModel)


@dataclass(frozen=True)
class TrainedModel:
    """A trained network, the recipe and the provenance (data digest, seed, versions)."""

    network: SpikingNetwork
    recipe: Recipe
    provenance: dict[str, Any]


def write_trained_model(path: Path, trained: TrainedModel) -> None:
    """Write weights, recipe and provenance to `path`, whole or not at all; raises `FileError`."""
    write_weights(path, trained.network, trained.recipe, trained.provenance)


def read_trained_model(path: Path) -> TrainedModel:
    """Read what `write_trained` wrote, from the file or the run's folder; raises `FileError`."""
    file = path / MODEL_FILE if path.is_dir() else path
    if not file.is_file():
        raise FileError(f"{path}: holds no {MODEL_FILE}; train first, or name the file itself")
    return TrainedModel(*read_weights(file, Recipe, build_network))


def write_weights(
    path: Path, network: SpikingNetwork, recipe: BaseModel, provenance: dict[str, Any]
) -> None:
    """Write the weights of `network`, with what made them; raises `FileError`."""
    header = {"recipe": recipe.model_dump(mode="json"), "provenance": provenance}
    tensors = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    with atomic_write(path) as temporary:
        temporary.write_bytes(save(tensors, {"pumice": json.dumps(header, sort_keys=True)}))


def read_weights(
    file: Path, kind: type[RecipeT], build: Callable[[RecipeT, dict[str, Any]], SpikingNetwork]
) -> tuple[SpikingNetwork, RecipeT, dict[str, Any]]:
    """Read what `write_weights` wrote: the network that `build` gives, recipe and provenance.

    `kind` is the recipe's type. Raises `FileError` where the file is not whole or of another kind.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors: dict[str, Tensor] = {k: opened.get_tensor(k) for k in opened.keys()}  # noqa: SIM118
        header = json.loads(metadata["pumice"])
        recipe = validate(kind, header["recipe"], str(file))
        provenance = header["provenance"]
        network = build(recipe, provenance)
        network.load_state_dict(tensors)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise FileError(f"{file}: is not a whole trained network ({reason})") from error
    return network.eval(), recipe, provenance


def build_network(recipe: Recipe, provenance: dict[str, Any]) -> SpikingNetwork:
    """Return the untrained network of `recipe` for the data that `provenance` describes."""
    data = provenance["data"]
    classes = data["classes"]
    return build_model(recipe.network, tuple(data["shape"]), classes, data["value_bits"])
