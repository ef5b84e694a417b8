"""Registry of datasets by name."""

import os
from collections.abc import Callable
from typing import Any

from ...runtime.config import validate
from ...runtime.errors import DataError
from .catalog import get_dataset_info
from .cifar import load_cifar10, load_cifar100
from .dataset import Dataset
from .digit_motions import load_digit_motions
from .digits_events import load_digits_events
from .dvs_gesture import load_dvs_gesture
from .encoders import encode_dataset
from .fashion_events import load_fashion_events
from .fashion_mnist import load_fashion_mnist
from .fashion_motions import load_fashion_motions
from .folder import load_folder
from .heidelberg import load_heidelberg
from .image_folder import load_image_folder
from .ncars import load_ncars
from .nmnist import load_nmnist
from .options import DataOptions
from .shards import open_shards
from .speech_commands import load_speech_commands
from .spoken_digits import load_spoken_digits
from .tonic_datasets import load_dvs_cifar10, load_ncaltech101
from .video_classes import load_video_classes

LOADERS: dict[str, Callable[[DataOptions], Dataset]] = {
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
    "digit-motions": load_digit_motions,
    "digits-events": load_digits_events,
    "dvs-cifar10": load_dvs_cifar10,
    "dvs-gesture": load_dvs_gesture,
    "fashion-events": load_fashion_events,
    "fashion-mnist": load_fashion_mnist,
    "fashion-motions": load_fashion_motions,
    "folder": load_folder,
    "hmdb51": load_video_classes,
    "images": load_image_folder,
    "kth": load_video_classes,
    "minikinetics": load_video_classes,
    "ncaltech101": load_ncaltech101,
    "ncars": load_ncars,
    "nmnist": load_nmnist,
    "shd": load_heidelberg,
    "speech-commands": load_speech_commands,
    "spoken-digits": load_spoken_digits,
    "spoken-pairs": load_spoken_digits,
    "ssc": load_heidelberg,
    "ucf101": load_video_classes,
    "ucf11": load_video_classes,
}


def load(name: str, folder: str | os.PathLike[str] | None = None, **options: Any) -> Dataset:
    """Load a dataset by name.

        load("digits-events", timesteps=4)
        load("nmnist", folder="/data/N-MNIST", binning="count", values="counts")
        load(**recipe.data.model_dump())

    Args:
        name: Name of the dataset, a key of `LOADERS`.
        folder: Folder of its files, for datasets that are not generated.
        **options: Other fields of `DataOptions`.

    Raises:
        DataError: No dataset has that name, or its files are missing or damaged.
        RecipeError: An option is unknown or out of range.
        MissingPackage: A package that the dataset needs is not installed.
    """
    chosen = make_options(name, folder, **options)
    return encode_dataset(load_unencoded(chosen), chosen)


def make_options(
    name: str, folder: str | os.PathLike[str] | None = None, **options: Any
) -> DataOptions:
    """Options of a dataset; arguments and errors as `load`."""
    get_dataset_info(name)
    if folder is not None and not os.path.exists(folder) and not options.get("shards"):
        raise DataError(f"{name}: no folder {folder}; give the present one with --folder PATH")
    return validate(DataOptions, {**options, "name": name, "folder": folder}, name)


def load_unencoded(options: DataOptions) -> Dataset:
    """Load a dataset before its values are coded as spikes: from its shards, else its files.

    Raises as `load`.
    """
    folder = options.folder
    if options.shards and (options.shards.is_dir() or not (folder and folder.exists())):
        return open_shards(options)
    return LOADERS[options.name](options)
