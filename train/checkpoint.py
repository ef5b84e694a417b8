"""The trained weights as a file: tensors beside the recipe that made them, no pickle."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


@dataclass(frozen=True)
class Trained:
    """A trained network, the recipe and the provenance (data digest, seed, versions)."""

    network: SpikingNetwork
    recipe: Recipe
    provenance: dict[str, Any]


def write_trained(path: Path, trained: Trained) -> None:
    """Write weights, recipe and provenance to `path`, whole or not at all; raises `FileError`."""
    header = {
        "recipe": trained.recipe.model_dump(mode="json"),
        "provenance": trained.provenance,
    }
    tensors = {k: v.detach().cpu().contiguous() for k, v in trained.network.state_dict().items()}
    with written(path) as temporary:
        temporary.write_bytes(save(tensors, {"pumice": json.dumps(header, sort_keys=True)}))


def read_trained(path: Path) -> Trained:
    """Read what `write_trained` wrote, from the file or the run's folder; raises `FileError`."""
    file = path / NAME if path.is_dir() else path
    if not file.is_file():
        raise FileError(f"{path}: holds no {NAME}; train first, or name the file itself")
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            tensors: dict[str, Tensor] = {k: opened.get_tensor(k) for k in opened.keys()}  # noqa: SIM118
        header = json.loads(metadata["pumice"])
        recipe = checked(Recipe, header["recipe"], str(file))
        provenance = header["provenance"]
        network = built(recipe, provenance)
        network.load_state_dict(tensors)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise FileError(f"{file}: is not a whole trained network ({reason})") from error
    return Trained(network.eval(), recipe, provenance)


def built(recipe: Recipe, provenance: dict[str, Any]) -> SpikingNetwork:
    """Return the untrained network of `recipe` for the data that `provenance` describes."""
    data = provenance["data"]
    classes = data["classes"]
    return network_of(recipe.network, tuple(data["shape"]), classes, data["value_bits"])
