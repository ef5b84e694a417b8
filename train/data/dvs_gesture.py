"""`dvs-gesture`: hand gestures seen by a real event sensor.

A. Amir et al., "A low power, fully event-based gesture recognition system", CVPR 2017; CC BY 4.0.
Read through tonic with the published split by persons (23 to train, 6 to test), or from a few
five-byte event files `LABEL.bs2`, counted from 1, without it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ...runtime.errors import DataError
from .aer_files import read_events
from .dataset import Dataset, FrameSet, compute_digest
from .events import Events
from .frames import stack_frames
from .geometry import rescale
from .options import DataOptions
from .tonic_datasets import TONIC_DATASETS, load_tonic

NAME = "dvs-gesture"
SIDE = 128
CLASSES = 11
TRAIN_FRACTION = 2, 3  # of a recording's time, counted in windows: the first two thirds
STRIDES_PER_WINDOW = 4  # a window starts every fourth of its length
EXPECTED_FILES = "needs DVSGesture/ as tonic unpacks it, or files 1.bs2, 2.bs2, ..."


def load_dvs_gesture(options: DataOptions) -> Dataset:
    """Return gestures as frames; raises `DataError` where `options.folder` holds none.

    Of `.bs2` files, one recording a class, the first two thirds of the time train and the rest
    tests; `options.window` microseconds make a sample, starting every fourth of that.
    """
    folder = options.folder
    if folder is None:
        raise DataError(f"{NAME}: no folder given; {EXPECTED_FILES}")
    if (folder / "DVSGesture").is_dir():
        return load_tonic(TONIC_DATASETS[NAME], options)
    files = sorted(file for file in folder.glob("*.bs2") if re.fullmatch(r"\d+", file.stem))
    if not files:
        found = "no .bs2 files" if folder.is_dir() else "no such folder"
        raise DataError(f"{NAME}: {folder}: {found}; {EXPECTED_FILES}")
    if options.window < STRIDES_PER_WINDOW:
        raise DataError(
            f"{NAME}: .bs2 files are cut into windows: set data.window, in microseconds"
        )
    train, test = (_load_part(files, options, part) for part in (0, 1))
    provenance = {
        "source": "DVS128 Gesture, one recording a class, https://research.ibm.com/interactive/dvsgesture",
        "licence": "CC BY 4.0",
        "split": "the first two thirds of each recording train, the rest tests",
        "options": options.model_dump(mode="json", exclude={"folder"}),
    }
    return Dataset(NAME, train, test, CLASSES, compute_digest(train, test, options), provenance)


def _load_part(files: list[Path], options: DataOptions, part: int) -> FrameSet:
    pieces, labels = [], []
    for file in files:
        events = read_events(file, SIDE, SIDE)
        for piece in sliding_windows(rescale(events, options.size), options.window, part):
            pieces.append(piece)
            labels.append(int(file.stem) - 1)
    if not pieces:
        raise DataError(f"{NAME}: no recording is long enough for windows of {options.window} us")
    frames = stack_frames(pieces, options, options.window)
    return FrameSet(frames, np.array(labels, np.int64))


def sliding_windows(events: Events, length: int, part: int) -> Iterator[Events]:
    """Yield the pieces of `length` microseconds of the training (0) or the test (1) time.

    Each starts a fourth of a length after the one before, its time counted from its own start.
    """
    first, end = int(events.t[0]), int(events.t[-1]) + 1
    border = first + (end - first) * TRAIN_FRACTION[0] // TRAIN_FRACTION[1]
    start, stop = ((first, border), (border, end))[part]
    for begin in range(start, stop - length + 1, length // STRIDES_PER_WINDOW):
        there = slice(*np.searchsorted(events.t, (begin, begin + length)))
        yield Events(
            events.x[there],
            events.y[there],
            events.polarity[there],
            events.t[there] - begin,
            events.width,
            events.height,
        )
