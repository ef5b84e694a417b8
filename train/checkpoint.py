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

from ..runtime.errors import FileError
from ..runtime.files import written
from ..runtime.settings import checked
from .architectures import network_of
from .networks import SpikingNetwork
from .recipe import Recipe

NAME = "model.safetensors"
Kind = TypeVar("Kind", bound=BaseModel)


@dataclass(frozen=True)
class Trained:
    """A trained network, the recipe and the provenance (data digest, seed, versions)."""

    network: SpikingNetwork
    recipe: Recipe
    provenance: dict[str, Any]


def write_trained(path: Path, trained: Trained) -> None:
    """Write weights, recipe and provenance to `path`, whole or not at all; raises `FileError`."""
    write_weights(path, trained.network, trained.recipe, trained.provenance)


def read_trained(path: Path) -> Trained:
    """Read what `write_trained` wrote, from the file or the run's folder; raises `FileError`."""
    file = path / NAME if path.is_dir() else path
    if not file.is_file():
        raise FileError(f"{path}: holds no {NAME}; train first, or name the file itself")
    return Trained(*read_weights(file, Recipe, built))


def write_weights(
    path: Path, network: SpikingNetwork, recipe: BaseModel, provenance: dict[str, Any]
) -> None:
    """Write the weights of `network`, with what made them; raises `FileError`."""
    header = {"recipe": recipe.model_dump(mode="json"), "provenance": provenance}
    tensors = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    with written(path) as temporary:
        temporary.write_bytes(save(tensors, {"pumice": json.dumps(header, sort_keys=True)}))


def read_weights(
    file: Path, kind: type[Kind], build: Callable[[Kind, dict[str, Any]], SpikingNetwork]
) -> tuple[SpikingNetwork, Kind, dict[str, Any]]:
    """Read what `write_weights` wrote: the network that `build` gives, recipe and provenance.

    `kind` is the recipe's type. Raises `FileError` where the file is not whole or of another kind.
    """
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors: dict[str, Tensor] = {k: opened.get_tensor(k) for k in opened.keys()}  # noqa: SIM118
        header = json.loads(metadata["pumice"])
        recipe = checked(kind, header["recipe"], str(file))
        provenance = header["provenance"]
        network = build(recipe, provenance)
        network.load_state_dict(tensors)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise FileError(f"{file}: is not a whole trained network ({reason})") from error
    return network.eval(), recipe, provenance


def built(recipe: Recipe, provenance: dict[str, Any]) -> SpikingNetwork:
    """Return the untrained network of `recipe` for the data that `provenance` describes."""
    data = provenance["data"]
    classes = data["classes"]
    return network_of(recipe.network, tuple(data["shape"]), classes, data["value_bits"])
