"""Dataset `speech-commands`: Google Speech Commands, spoken words of one second.

P. Warden, "Speech commands: a dataset for limited-vocabulary speech recognition", arXiv 1804.03209,
2018; CC BY 4.0. The files that `validation_list.txt` and `testing_list.txt` name are validation and
test samples, so that no speaker is in two parts; the rest is for training.
"""

from pathlib import Path

import numpy as np

from ...runtime.errors import DataError
from .dataset import Dataset
from .file_frames import FileList
from .file_tree import FileTree
from .folder import load_tree
from .options import DataOptions

NAME = "speech-commands"
LISTS = {"validation": "validation_list.txt", "test": "testing_list.txt"}
NOISE = "_background_noise_"  # long recordings of no word
EXPECTED_FILES = "needs a folder of wav files for each word, testing_list.txt, validation_list.txt"


def load_speech_commands(options: DataOptions) -> Dataset:
    """Load the words in `options.folder` as log-mel spectra, with the published split.

    All words are classes (35 in version 2). Raises `DataError` where a list is missing, or names a
    file that is.
    """
    folder = options.folder
    if folder is None:
        raise DataError(f"{NAME}: no folder given; {EXPECTED_FILES}")
    listed = {part: _read_list(folder / name) for part, name in LISTS.items()}
    names = sorted(
        f"{file.parent.name}/{file.name}"
        for file in folder.glob("*/*.wav")
        if file.parent.name != NOISE
    )
    part_of = {name: part for part, members in listed.items() for name in members}
    missing = sorted({*part_of} - {*names})
    if missing or not names:
        what = f"{missing[0]} of its lists is missing" if missing else "no wav files"
        raise DataError(f"{NAME}: {folder}: {what}; {EXPECTED_FILES}")
    classes = sorted({name.partition("/")[0] for name in names})
    labels = np.array([classes.index(name.partition("/")[0]) for name in names], np.int64)
    parts = np.array([part_of.get(name, "train") for name in names])
    tree = FileTree(
        FileList(folder, [folder / name for name in names]),
        labels,
        tuple(classes),
        {part: np.flatnonzero(parts == part) for part in ("train", "test", "validation")},
    )
    source = "Google Speech Commands, P. Warden, arXiv 1804.03209, 2018; CC BY 4.0"
    return load_tree(NAME, tree, "audio", options, source, "as published")


def _read_list(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{NAME}: {path}: cannot be read; {EXPECTED_FILES}") from error
