"""Dataset `nmnist`: N-MNIST, the MNIST digits recorded by an event sensor.

G. Orchard, A. Jayawant, G. Cohen and N. Thakor, "Converting static image datasets to spiking
neuromorphic datasets using saccades", Frontiers in Neuroscience 9:437, 2015; CC BY-SA 4.0.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...runtime.errors import DataError
from .aer_files import read_events
from .dataset import Dataset, FrameSet, compute_digest, hold_out
from .file_frames import FileList, cached_recording_frames
from .frames import stack_frames
from .options import DataOptions
from .recordings import read_recordings

NAME = "nmnist"
WIDTH = HEIGHT = 34
CLASSES = 10
TEST_PER_CLASS = 10
SPLIT_SEED = 900
EXPECTED_FILES = (
    "needs Train/ and Test/ with N-MNIST's folders 0 to 9, .bs2 files with their lists train*.txt "
    "and test*.txt, or one .npz of recordings"
)


def load_nmnist(options: DataOptions) -> Dataset:
    """Load N-MNIST as frames from `options.folder`.

    The folder has the original layout (`Train/0/00002.bin`, ..., `Test/...`), whose parts are used
    as they are, or one `.npz` of recordings, of which 10 of each class, drawn by a fixed seed, are
    held out for test. SLAYER's layout is read too: files `1.bs2`, `2.bs2`, ..., and the lists
    `train*.txt` and `test*.txt`, whose lines are the number of a file and its class. A recording is
    binned from its first event to its last. Raises `DataError` where neither is there or a file is
    damaged.
    """
    if options.folder is None:
        raise DataError(f"{NAME}: no folder given; {EXPECTED_FILES}")
    original = all((options.folder / part).is_dir() for part in ("Train", "Test"))
    packed = sorted(options.folder.glob("*.npz"))
    lists = [sorted(options.folder.glob(f"{part}*.txt")) for part in ("train", "test")]
    if original:
        train, test = (_load_part(options.folder / part, options) for part in ("Train", "Test"))
        split = "Train and Test as published"
    elif all(len(found) == 1 for found in lists):
        train, test = (_load_listed(found[0], options) for found in lists)
        split = f"{lists[0][0].name} and {lists[1][0].name}"
    elif len(packed) == 1:
        train, test = _load_npz(packed[0], options)
        split = f"{TEST_PER_CLASS} of each class held out, seed {SPLIT_SEED}"
    else:
        present = f"{len(packed)} .npz files" if options.folder.is_dir() else "no such folder"
        raise DataError(f"{NAME}: {options.folder}: {present}; {EXPECTED_FILES}")
    provenance: dict[str, Any] = {
        "source": "N-MNIST, https://www.garrickorchard.com/datasets/n-mnist",
        "license": "CC BY-SA 4.0",
        "split": split,
        "options": options.model_dump(mode="json", exclude={"folder"}),
    }
    return Dataset(NAME, train, test, CLASSES, compute_digest(train, test, options), provenance)


def _load_part(folder: Path, options: DataOptions) -> FrameSet:
    files = [(file, k) for k in range(CLASSES) for file in sorted((folder / str(k)).glob("*.bin"))]
    if not files:
        raise DataError(f"{NAME}: {folder}: no .bin files in folders 0 to 9")
    return _load_files(folder, files, options)


def _load_listed(path: Path, options: DataOptions) -> FrameSet:
    """Recordings of a list of SLAYER: lines of a number and a class; # begins a comment."""
    try:
        lines = [line.partition("#")[0].split() for line in path.read_text().splitlines()]
        rows = [(int(number), int(label)) for number, label in filter(None, lines)]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: needs lines of the number of a file and its class") from error
    wrong = sorted({label for _, label in rows} - {*range(CLASSES)})
    if wrong or not rows:
        what = f"has the class {wrong[0]}" if wrong else "names no file"
        raise DataError(f"{path}: {what}, needs 0 to {CLASSES - 1}")
    files = [(path.parent / f"{number}.bs2", label) for number, label in rows]
    return _load_files(path.parent, files, options)


def _load_files(folder: Path, files: list[tuple[Path, int]], options: DataOptions) -> FrameSet:
    labels = np.array([label for _, label in files], np.int64)
    names = [file for file, _ in files]
    read = partial(read_events, width=WIDTH, height=HEIGHT, overflow=True)
    return cached_recording_frames(
        NAME, FileList(folder, names), read, labels, options, (WIDTH, HEIGHT)
    )


def _load_npz(file: Path, options: DataOptions) -> tuple[FrameSet, FrameSet]:
    recordings = read_recordings(file, WIDTH, HEIGHT)
    if recordings.labels.max() >= CLASSES:
        raise DataError(f"{file}: a label is {recordings.labels.max()}, needs 0 to {CLASSES - 1}")
    samples = FrameSet(stack_frames(recordings.events, options), recordings.labels)
    return hold_out(samples, TEST_PER_CLASS, SPLIT_SEED)
