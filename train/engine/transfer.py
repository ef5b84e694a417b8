"""Transfer learning: initial weights from another run, and layers that are not trained."""

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from torch import nn

from ...runtime.errors import FileError, RecipeError
from ...runtime.suggest import suggest
from ..nn.network import SpikingNetwork
from .checkpoint import read_trained_model
from .run_folder import ENCODER_FILE, MODEL_FILE
from .transfer_options import TransferOptions


def apply_transfer(network: SpikingNetwork, options: TransferOptions) -> dict[str, Any]:
    """Load the weights of `options` into `network` and freeze its layers, in place.

    Returns the provenance of the weights, empty without any.

    Raises:
        RecipeError: A pattern fits no layer, a layer has no namesake in the run, or their weights
            differ in shape.
        FileError: The run is missing or damaged.
    """
    for layer in frozen_layers(network, options):
        layer.requires_grad_(False)
    skipped = {layer.name for layer in _match(network, options.skip, "transfer.skip")}
    if options.weights is None:
        return {}
    file, source = _read_network(options.weights)
    given = {layer.name: layer for layer in source.layer_list}
    for layer in network.layer_list:
        if layer.name in skipped or not layer.state_dict():
            continue
        if layer.name not in given:
            raise RecipeError(
                f"transfer.weights: {options.weights} has no layer {layer.name!r}; "
                f"{suggest(layer.name, given)}, or name it in transfer.skip"
            )
        _copy(layer, given[layer.name], options.weights)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"transfer": {"weights": str(options.weights), "sha256": digest}}


def frozen_layers(network: SpikingNetwork, options: TransferOptions) -> list[Any]:
    """Layers of `network` that are not trained; raises `RecipeError`."""
    return _match(network, options.freeze, "transfer.freeze")


def _match(network: SpikingNetwork, patterns: Sequence[str], key: str) -> list[Any]:
    layers = network.layer_list
    for pattern in patterns:
        if not any(fnmatchcase(layer.name, pattern) for layer in layers):
            names = [layer.name for layer in layers]
            raise RecipeError(f"{key}: no layer {pattern!r}; {suggest(pattern, names)}")
    return [
        layer for layer in layers if any(fnmatchcase(layer.name, pattern) for pattern in patterns)
    ]


def _copy(layer: nn.Module, source: nn.Module, run: Path) -> None:
    """Copy the weights of a layer; raises `RecipeError` where they differ in shape."""
    weights, own = source.state_dict(), layer.state_dict()
    name = getattr(layer, "name", "")
    if weights.keys() != own.keys():
        raise RecipeError(
            f"transfer.weights: layer {name} of {run} is of another kind; name it in transfer.skip"
        )
    for key, value in own.items():
        if weights[key].shape != value.shape:
            raise RecipeError(
                f"transfer.weights: {name}.{key} has shape {tuple(value.shape)}, but that of {run} "
                f"{tuple(weights[key].shape)}; name it in transfer.skip"
            )
    layer.load_state_dict(weights)


def _read_network(run: Path) -> tuple[Path, SpikingNetwork]:
    """File and network of a training or pretraining run; raises `FileError`."""
    from ..ssl.pretrain import read_pretrained_model

    if run.is_dir():
        names = (MODEL_FILE, ENCODER_FILE)
        file = next((run / name for name in names if (run / name).is_file()), None)
        if file is None:
            raise FileError(f"{run}: holds no {' or '.join(names)}; train first, or name the file")
    else:
        file = run
    try:
        return file, read_trained_model(file).network
    except FileError as error:
        try:
            return file, read_pretrained_model(file).network
        except FileError:
            raise error from None
