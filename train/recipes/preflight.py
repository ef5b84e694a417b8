"""Check a training recipe before torch is loaded: dataset, folder and memory."""

import math
import os
from pathlib import Path

from ...runtime.errors import DataError, FileError, RecipeError
from ..data.catalog import get_dataset_info, known_shape
from ..data.shards import read_index
from ..models.layer_options import LayersOptions
from ..models.layer_shapes import count_weights, layer_shapes
from ..models.options import (
    ConvOptions,
    CustomOptions,
    NetworkOptions,
    ResNet19Options,
    SEWResNetOptions,
    SlayerOptions,
    VGGOptions,
)
from ..user_code import check_code
from .recipe import Recipe

COPIES = 4  # of each weight in training: itself, its gradient and the two moments of AdamW
FLOAT_BYTES = 4


def check_training(recipe: Recipe, folder: str | os.PathLike[str] | None = None) -> None:
    """Check that the recipe's dataset exists and that its network fits into memory.

    Args:
        recipe: The recipe.
        folder: Folder of the dataset, if not that of the recipe.

    Raises:
        DataError: There is no such dataset, or its folder is missing.
        FileError: The user's code, or the weights to start from, do not exist.
        NetworkError: A layer does not fit its input, where its shape is known.
        RecipeError: The machine's memory cannot hold the weights or the activations.
    """
    _check_files(recipe)
    name, folder = recipe.data.name, folder or recipe.data.folder
    shards = recipe.data.shards
    if get_dataset_info(name).needs_folder and folder is None and shards is None:
        raise DataError(f"{name}: needs the folder of its files; give --folder PATH")
    if shards is not None:
        read_index(shards)
    elif folder is not None and not Path(folder).exists():
        raise DataError(f"{name}: no folder {folder}; give the present one with --folder PATH")
    check_network(recipe, known_shape(recipe.data))


def check_network(recipe: Recipe, input_shape: tuple[int, ...] | None = None) -> None:
    """Check that a network of layers fits its input, and that it fits into memory.

    Args:
        recipe: The recipe.
        input_shape: Shape of the frames, (channels, height, width); None where it is not known.

    Raises:
        NetworkError: A layer does not fit its input.
        RecipeError: The machine's memory cannot hold the weights or the activations.
    """
    available = memory_bytes()
    needs = {
        "weights": COPIES * FLOAT_BYTES * min_weights(recipe.network, input_shape),
        "activations": FLOAT_BYTES * _min_activations(recipe, input_shape),
    }
    for part, needed in needs.items():
        if available and needed > available:
            cause = "layers" if part == "weights" else "layers or batches, or fewer timesteps"
            raise RecipeError(
                f"network: its {part} need at least {needed / 1e9:,.0f} GB in training, but this "
                f"machine has {available / 1e9:,.0f} GB; choose smaller {cause}"
            )


def _check_files(recipe: Recipe) -> None:
    """Raise `FileError` where the user's code or the weights to start from do not exist."""
    if isinstance(recipe.network, CustomOptions) and ":" in recipe.network.type:
        check_code(recipe.network.type)
    if recipe.loss.custom is not None:
        check_code(recipe.loss.custom.function)
    weights = recipe.transfer.weights
    if weights is not None and not weights.exists():
        raise FileError(f"transfer.weights: {weights}: no such file or folder")


def min_weights(options: NetworkOptions, input_shape: tuple[int, ...] | None = None) -> int:
    """Lower bound on the number of weights of a network, for every input shape or the given one.

    Raises `NetworkError` where a network of layers does not fit the given one.
    """
    if isinstance(options, LayersOptions):
        return 0 if input_shape is None else count_weights(options, input_shape, 1)
    if isinstance(options, ConvOptions | SlayerOptions):
        channels, count = options.channels, len(options.channels)
        kernels = options.kernels
        each = (kernels,) * count if isinstance(kernels, int) else kernels
        sizes = zip((1, *channels[:-1]), channels, each, strict=bool(channels))
        dense = zip((1, *options.hidden[:-1]), options.hidden, strict=bool(options.hidden))
        return sum(a * b * k * k for a, b, k in sizes) + sum(a * b for a, b in dense)
    if isinstance(options, VGGOptions):
        return 9 * (4 * options.width) ** 2
    if isinstance(options, ResNet19Options):
        return 9 * (4 * options.width) ** 2 + options.hidden
    if isinstance(options, SEWResNetOptions):
        return 9 * (options.width << options.stages - 1) ** 2
    return 0


def memory_bytes() -> int:
    """Physical memory of this machine, bytes; 0 where it is unknown."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def _min_activations(recipe: Recipe, input_shape: tuple[int, ...] | None) -> int:
    """Lower bound on the number of values of a batch that training keeps."""
    options = recipe.network
    dense = sum(options.hidden) if isinstance(options, ConvOptions | SlayerOptions) else 0
    if isinstance(options, LayersOptions) and input_shape is not None:
        shapes = layer_shapes(options, input_shape, 1)
        dense = sum(math.prod(shape) for shape in shapes.values())
    pixels = max(recipe.data.size, 1) ** 2
    return recipe.data.timesteps * recipe.training.batch_size * (pixels + dense)
