"""Data sets by name."""

import difflib
from collections.abc import Callable
from typing import Any

from ...runtime.errors import DataError
from .cifar import load_cifar10, load_cifar100
from .dataset import Dataset
from .digit_motions import load_digit_motions
from .digits_events import load_digits_events
from .dvs_gesture import load_dvs_gesture
from .image_folder import load_image_folder
from .nmnist import load_nmnist
from .options import DataOptions
from .tonic_datasets import load_dvs_cifar10, load_ncaltech101

LOADERS: dict[str, Callable[[DataOptions], Dataset]] = {
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
    "digit-motions": load_digit_motions,
    "digits-events": load_digits_events,
    "dvs-cifar10": load_dvs_cifar10,
    "dvs-gesture": load_dvs_gesture,
    "images": load_image_folder,
    "ncaltech101": load_ncaltech101,
    "nmnist": load_nmnist,
}


def load(name: str, **options: Any) -> Dataset:
    """Return the data set `name`; `options` are the other fields of `DataOptions`.

        load("digits-events", timesteps=4)
        load("nmnist", folder="/data/N-MNIST", binning="count", values="counts")
        load(**recipe.data.model_dump())

    Raises `DataError` where no data set has that name or its files are not what they should be,
    and pydantic's `ValidationError` (a `ValueError`) where an option is unknown or impossible.
    """
    loader = LOADERS.get(name)
    if loader is None:
        near = difflib.get_close_matches(name.lower(), LOADERS, 1, 0)
        raise DataError(
            f'no data set "{name}"; the nearest is "{near[0]}", of {", ".join(LOADERS)}'
        )
    return loader(DataOptions(name=name, **options))
