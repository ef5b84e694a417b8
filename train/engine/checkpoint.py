"""Trained weights as a file: safetensors with the recipe and the provenance, no pickle."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel
from safetensors import SafetensorError
from safetensors.torch import load

from ...runtime.config import validate
from ...runtime.errors import DataError, FileError, NetworkError
from ...runtime.files import atomic_write
from ...runtime.input_file import open_input
from ...runtime.readout import Readout
from ...runtime.strict_json import parse_json
from ..models import build_model
from ..models.layer_options import LayersOptions
from ..models.options import CustomOptions, NetworkOptions
from ..models.readout_options import ReadoutOptions
from ..nn.network import SpikingNetwork
from ..recipes.recipe import Recipe
from ..user_code import code_digest
from .readout import set_readout
from .run_folder import MODEL_FILE, find_weights
from .sealing import ZERO_DIGEST, check_weights, find_not_finite, seal_weights

RecipeT = TypeVar("RecipeT", bound=BaseModel)


@dataclass(frozen=True, repr=False)
class TrainedModel:
    """A trained network, with what it takes to train it again.

    Attributes:
        network: The network, in evaluation mode on the CPU.
        recipe: Settings of the run.
        provenance: Recipe, data digest, seed and versions, as plain values.
        history: Metrics of each epoch; empty where the model was read from a file.
    """

    network: SpikingNetwork
    recipe: Recipe
    provenance: dict[str, Any]
    history: tuple[dict[str, float], ...] = ()

    def __repr__(self) -> str:
        data = self.provenance["data"]["name"]
        last = self.history[-1] if self.history else {}
        names = ("loss", "accuracy", "error")
        metrics = "".join(f", {name} {last[name]:.4g}" for name in names if name in last)
        epochs = self.recipe.training.epochs
        return f"TrainedModel({type(self.network).__name__}, {epochs} epochs on {data}{metrics})"


def write_trained_model(path: str | os.PathLike[str], trained: TrainedModel) -> None:
    """Write weights, recipe and provenance atomically; raises `FileError`."""
    write_weights(Path(path), trained.network, trained.recipe, trained.provenance)


def read_trained_model(path: str | os.PathLike[str]) -> TrainedModel:
    """Read a trained model from its file or the folder of its run.

    Raises:
        FileError: There is no such file, it is damaged, or only user code can build its network.
    """
    file = find_weights(path, MODEL_FILE, "train")
    network, recipe, provenance = read_weights(file, Recipe, build_network)
    return TrainedModel(network, recipe, provenance)


def write_weights(
    path: Path, network: SpikingNetwork, recipe: BaseModel, provenance: dict[str, Any]
) -> None:
    """Write the state dict of `network` with recipe and provenance; raises `FileError`."""
    header = {"recipe": recipe.model_dump(mode="json"), "provenance": provenance}
    tensors = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    content = seal_weights(tensors, json.dumps(header, sort_keys=True))
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def read_weights(
    file: Path, recipe_type: type[RecipeT], build: Callable[[RecipeT, Any], SpikingNetwork]
) -> tuple[SpikingNetwork, RecipeT, dict[str, Any]]:
    """Read a file of `write_weights`: the network that `build` creates, recipe and provenance.

    Raises `FileError` where the file is damaged or of another kind.
    """
    try:
        with open_input(file) as opened:
            content = opened.read()
        tensors = load(content)
        check_weights(content)
        header = _read_header(content)
        recipe = validate(recipe_type, header["recipe"], str(file))
        provenance = header["provenance"]
        network = build(recipe, provenance)
        network.load_state_dict(tensors)
    except DataError as error:
        raise FileError(str(error)) from None
    except (NetworkError, FileError) as error:
        raise FileError(f"{file}: {error}") from error
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise FileError(f"{file}: is not a complete trained network ({reason})") from error
    broken = find_not_finite(tensors)
    if broken is not None:
        raise FileError(f"{file}: {broken} holds NaN or infinite weights; train again")
    network.provenance = provenance
    return network.eval(), recipe, provenance


def _read_header(content: bytes) -> Any:
    """Recipe and provenance of a weights file, behind its digest."""
    size = int.from_bytes(content[:8], "little")
    metadata = parse_json(content[8 : 8 + size])["__metadata__"]
    return parse_json(metadata["pumice"][len(ZERO_DIGEST) + 1 :])


def build_network(recipe: Any, provenance: dict[str, Any]) -> SpikingNetwork:
    """Build the untrained network of a run for the data that `provenance` describes.

    A network of the user's own is built of the layers that its training recorded; no code of the
    user is executed. Raises `NetworkError` where there is no record.
    """
    options: Any = recipe.network
    if isinstance(options, CustomOptions):
        if "network" not in provenance:
            raise NetworkError(
                f"network: class {options.type} is built by user code, not by a recipe; build it "
                "there and load the weights with load_state_dict"
            )
        options = validate(LayersOptions, provenance["network"]["layers"], "network")
    data = provenance["data"]
    network = build_model(options, tuple(data["shape"]), data["classes"], data["value_bits"])
    readout = provenance.get("readout", {})
    set_readout(network, Readout(**readout), getattr(recipe, "readout", ReadoutOptions()).leak)
    return network


def record_network(options: NetworkOptions, network: SpikingNetwork) -> dict[str, Any]:
    """Provenance of a network of the user's own: its layers, and the SHA-256 of its code."""
    if not (isinstance(options, CustomOptions) and isinstance(network.options, LayersOptions)):
        return {}
    layers = network.options.model_dump(mode="json")
    return {"network": {"layers": layers, "code_sha256": code_digest(options.type)}}
