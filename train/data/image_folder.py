"""Dataset `images`: image files in one folder per class, as ImageNet is unpacked.

`FOLDER/train/CLASS/*` and `FOLDER/val/CLASS/*` (or `test`). Each image is scaled so that its
shorter side has `size` pixels, and cropped to its center, when it is asked for.
"""

from pathlib import Path

from ...runtime.errors import DataError
from .dataset import Dataset
from .folder import load_folder
from .options import DataOptions

NAME = "images"
EXPECTED_FILES = "needs train/ and val/ (or test/) with a folder of images per class"


def load_image_folder(options: DataOptions) -> Dataset:
    """Load the images under `options.folder`; labels are in alphabetical order of class folders.

    Raises `DataError` where folders are missing, the parts differ in their classes, or a file
    cannot be read as an image.
    """
    folder = options.folder
    if folder is None:
        raise DataError(f"{NAME}: no folder given; {EXPECTED_FILES}")
    test = next((folder / part for part in ("val", "test") if (folder / part).is_dir()), None)
    if test is None or not (folder / "train").is_dir():
        raise DataError(f"{NAME}: {folder}: {EXPECTED_FILES}")
    if _list_classes(test) != _list_classes(folder / "train"):
        raise DataError(f"{NAME}: {test}: its class folders are not those of {folder / 'train'}")
    return load_folder(options.model_copy(update={"format": "images"}))


def _list_classes(folder: Path) -> list[str]:
    classes = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    if not classes:
        raise DataError(f"{NAME}: {folder}: has no folders; {EXPECTED_FILES}")
    return classes
