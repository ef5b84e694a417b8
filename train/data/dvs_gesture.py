"""Dataset `dvs-gesture`: hand gestures recorded by an event sensor.

A. Amir et al., "A low power, fully event-based gesture recognition system", CVPR 2017; CC BY 4.0.
Read through tonic with the published split by person (23 for training, 6 for test), or without it
from AER files `LABEL.bs2` of 40 bits per event, with labels counted from 1.
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
TRAIN_FRACTION = 2, 3  # of a recording's duration: the first two thirds
STRIDES_PER_WINDOW = 4  # windows overlap: one starts every quarter of its length
EXPECTED_FILES = "needs DVSGesture/ as tonic unpacks it, or files 1.bs2, 2.bs2, ..."


def load_dvs_gesture(options: DataOptions) -> Dataset:
    """Load gestures as frames; raises `DataError` where `options.folder` has none.

    Of `.bs2` files, one recording per class, the first two thirds of the duration are for training
    and the rest for test; a sample is a window of `options.window` microseconds, and one starts
    every quarter of that.
    """
    folder = options.folder
    if folder is None:
        raise DataError(f"{NAME}: no folder given; {EXPECTED_FILES}")
    if (folder / "DVSGesture").is_dir():
        return load_tonic(TONIC_DATASETS[NAME], options)
    files = sorted(file for file in folder.glob("*.bs2") if re.fullmatch(r"\d+", file.stem))
    if not files:
        present = "no .bs2 files" if folder.is_dir() else "no such folder"
        raise DataError(f"{NAME}: {folder}: {present}; {EXPECTED_FILES}")
    if options.window < STRIDES_PER_WINDOW:
        raise DataError(
            f"{NAME}: .bs2 files are cut into windows: set data.window, in microseconds"
        )
    train, test = (_load_part(files, options, part) for part in (0, 1))
    provenance = {
        "source": "DVS128 Gesture, one recording per class, https://research.ibm.com/interactive/dvsgesture",
        "license": "CC BY 4.0",
        "split": "first two thirds of each recording for training, the rest for test",
        "options": options.model_dump(mode="json", exclude={"folder"}),
    }
    return Dataset(NAME, train, test, CLASSES, compute_digest(train, test, options), provenance)


def _load_part(files: list[Path], options: DataOptions, part: int) -> FrameSet:
    samples, labels = [], []
    for file in files:
        events = read_events(file, SIDE, SIDE)
        for window in sliding_windows(rescale(events, options.size), options.window, part):
            samples.append(window)
            labels.append(int(file.stem) - 1)
    if not samples:
        raise DataError(f"{NAME}: no recording is long enough for windows of {options.window} us")
    frames = stack_frames(samples, options, options.window)
    return FrameSet(frames, np.array(labels, np.int64))


def sliding_windows(events: Events, length: int, part: int) -> Iterator[Events]:
    """Iterate over overlapping windows of `length` microseconds of one part.

    `part`: 0 for training, 1 for test. A window starts every quarter of `length`;
    event times are relative to its start.
    """
    first, end = int(events.t[0]), int(events.t[-1]) + 1
    border = first + (end - first) * TRAIN_FRACTION[0] // TRAIN_FRACTION[1]
    start, stop = ((first, border), (border, end))[part]
    for begin in range(start, stop - length + 1, length // STRIDES_PER_WINDOW):
        chosen = slice(*np.searchsorted(events.t, (begin, begin + length)))
        yield Events(
            events.x[chosen],
            events.y[chosen],
            events.polarity[chosen],
            events.t[chosen] - begin,
            events.width,
            events.height,
        )
