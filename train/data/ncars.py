"""Dataset `ncars`: N-CARS, recordings of 100 ms of cars and of background.

A. Sironi, M. Brambilla, N. Bourdis, X. Lagorce and R. Benosman, "HATS: histograms of averaged time
surfaces for robust event-based object classification", CVPR 2018. The parts are those of its
folders: 15,422 recordings for training, 8,607 for test.
"""

from pathlib import Path

import numpy as np

from ...runtime.errors import DataError
from .dataset import Dataset
from .file_frames import FileList
from .file_tree import FileTree
from .folder import load_tree
from .options import DataOptions

NAME = "ncars"
SENSOR = 120, 100  # pixels that hold all recordings, which are cut to their objects
CLASSES = ("background", "cars")
EXPECTED_FILES = "needs n-cars_train/ and n-cars_test/ with folders cars and background of .dat"


def load_ncars(options: DataOptions) -> Dataset:
    """Load the recordings below `options.folder` as frames of 120 x 100 pixels.

    Raises `DataError` where a folder is missing, or a file is damaged.
    """
    folder = options.folder
    if folder is None:
        raise DataError(f"{NAME}: no folder given; {EXPECTED_FILES}")
    files: list[Path] = []
    labels: list[int] = []
    parts: dict[str, range] = {}
    for part in ("train", "test"):
        place = next(iter(sorted(folder.rglob(f"n-cars_{part}"))), None)
        first = len(files)
        for label, name in enumerate(CLASSES):
            found = sorted((place / name).glob("*.dat")) if place else []
            if not found:
                raise DataError(
                    f"{NAME}: {folder}: no .dat files in n-cars_{part}/{name}; {EXPECTED_FILES}"
                )
            files += found
            labels += [label] * len(found)
        parts[part] = range(first, len(files))
    tree = FileTree(
        FileList(folder, files),
        np.array(labels, np.int64),
        CLASSES,
        {name: np.array(part, np.int64) for name, part in parts.items()},
    )
    source = "N-CARS, A. Sironi et al., CVPR 2018; license of Prophesee"
    sized = options.model_copy(update={"sensor": options.sensor or SENSOR})
    return load_tree(NAME, tree, "recordings", sized, source, "as published")
