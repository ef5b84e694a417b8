"""Check a training recipe before torch is loaded: dataset, folder and memory."""

import os
from pathlib import Path

from ...runtime.errors import DataError, RecipeError
from ..data.catalog import get_dataset_info
from ..models.options import (
    ConvOptions,
    NetworkOptions,
    ResNet19Options,
    SEWResNetOptions,
    SlayerOptions,
    VGGOptions,
)
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
        RecipeError: The machine's memory cannot hold the weights or the activations.
    """
    name, folder = recipe.data.name, folder or recipe.data.folder
    if get_dataset_info(name).needs_folder and folder is None:
        raise DataError(f"{name}: needs the folder of its files; give --folder PATH")
    if folder is not None and not Path(folder).exists():
        raise DataError(f"{name}: no folder {folder}; give the present one with --folder PATH")
    available = memory_bytes()
    needs = {
        "weights": COPIES * FLOAT_BYTES * min_weights(recipe.network),
        "activations": FLOAT_BYTES * _min_activations(recipe),
    }
    for part, needed in needs.items():
        if available and needed > available:
            cause = "layers" if part == "weights" else "layers or batches, or fewer timesteps"
            raise RecipeError(
                f"network: its {part} need at least {needed / 1e9:,.0f} GB in training, but this "
                f"machine has {available / 1e9:,.0f} GB; choose smaller {cause}"
            )


def min_weights(options: NetworkOptions) -> int:
    """Lower bound on the number of weights of a network, for every input shape."""
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


def _min_activations(recipe: Recipe) -> int:
    """Lower bound on the number of values of a batch that training keeps."""
    options = recipe.network
    dense = sum(options.hidden) if isinstance(options, ConvOptions | SlayerOptions) else 0
    pixels = max(recipe.data.size, 1) ** 2
    return recipe.data.timesteps * recipe.training.batch_size * (pixels + dense)
